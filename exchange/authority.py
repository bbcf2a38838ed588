"""The community's own certificate authority: it vouches for its branches' appliances, and for nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_der_public_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from exchange import der
from exchange.certificate import Certificate
from exchange.errors import Malformed
from exchange.revocation_list import RevocationList

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

#: Browsers take no certificate that lives longer than 398 days from an authority of the web's; ours need no more.
LIFETIME = timedelta(days=397)
ROOT_LIFETIME = timedelta(days=3652)
#: Clocks of old PCs lag behind.
BACKDATED = timedelta(days=1)
COMMON_NAME = "Gurney community CA"
#: Where appliances stand: RFC 1918, RFC 6598, RFC 4193; and loopback, for the embedded cloud.
PRIVATE = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "fc00::/7"))
)
_NO_KEY = "not the key of an authority: expected ECDSA in PKCS #8 as base64"


@dataclass(frozen=True)
class Authority:
    """The authority's key, ECDSA on P-256; `text` is the secret, PKCS #8 as base64."""

    text: str = field(repr=False)

    def __post_init__(self) -> None:
        _ = self._key

    @classmethod
    def generate(cls) -> Authority:
        """A new one, from the operating system's randomness."""
        secret = generate_private_key(SECP256R1()).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return cls(der.written(secret))

    @property
    def key_id(self) -> str:
        """What its certificates name it by, in hexadecimal."""
        return self._key_id.digest.hex()

    def root(self, community: str, names: Iterable[str], now: datetime) -> Certificate:
        """Its own certificate, for those who shall trust it: good for these names and for private addresses alone."""
        subject = _name(community, COMMON_NAME)
        builder = _builder(subject, subject, self._key.public_key(), now, ROOT_LIFETIME)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        builder = builder.add_extension(_constraints(names), critical=True)
        builder = builder.add_extension(self._key_id, critical=False)
        return Certificate.of(builder.sign(self._key, SHA256()))

    def root_like(
        self, present: Certificate | None, community: str, names: Iterable[str], now: datetime
    ) -> Certificate:
        """The present certificate as long as it serves; else a new one of the same key, beside which the old holds."""
        wanted = frozenset(names)
        if (
            present is not None
            and present.key_id == self.key_id
            and not present.is_old(now)
            and permits(present, wanted)
        ):
            return present
        return self.root(community, wanted, now)

    def certify(self, community: str, branch: str, key: str, names: Iterable[str], now: datetime) -> Certificate:
        """A certificate for a branch's appliance.

        Parameters
        ----------
        key
            The appliance's public key: SubjectPublicKeyInfo as base64.
        names
            Names and addresses by which it is reached.

        Raises
        ------
        Malformed
            The key is none.
        """
        issuer, public = _name(community, COMMON_NAME), public_key(key)
        builder = _builder(_name(community, branch), issuer, public, now, LIFETIME)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
        # The appliance is a client as well, where it sends by DICOM.
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        alternatives = [_general_name(name) for name in sorted(names)]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        builder = builder.add_extension(self._issued_by, critical=False)
        return Certificate.of(builder.sign(self._key, SHA256()))

    def revocation_list(
        self, community: str, revoked: Mapping[int, datetime], number: int, now: datetime, until: datetime
    ) -> RevocationList:
        """Its list of certificates that are good no longer.

        Parameters
        ----------
        revoked
            Serial number to when the certificate was withdrawn.
        number
            Higher than that of every list before (RFC 5280 5.2.3).
        until
            By when there is a newer one.
        """
        builder = x509.CertificateRevocationListBuilder().issuer_name(_name(community, COMMON_NAME))
        builder = builder.last_update(now - BACKDATED).next_update(until)
        builder = builder.add_extension(self._issued_by, critical=False)
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
        for serial, since in sorted(revoked.items()):
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since)
            builder = builder.add_revoked_certificate(entry.build())
        return RevocationList.of(builder.sign(self._key, SHA256()))

    @property
    def _key(self) -> EllipticCurvePrivateKey:
        key = der.read(self.text, partial(load_der_private_key, password=None), _NO_KEY)
        if not isinstance(key, EllipticCurvePrivateKey):
            raise Malformed(_NO_KEY)
        return key

    @property
    def _key_id(self) -> x509.SubjectKeyIdentifier:
        return x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())

    @property
    def _issued_by(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._key_id)


def permits(root: Certificate, names: Iterable[str]) -> bool:
    """Whether an authority's certificate lets it vouch for all of these names and addresses."""
    known, networks = root.permitted
    addresses = [(name, _address(name)) for name in names]
    return all(name in known if at is None else any(at in each for each in networks) for name, at in addresses)


def public_key(text: str) -> CertificatePublicKeyTypes:
    """A public key of the kind that certificates are made for; raises `Malformed`."""
    wrong = "not a public key: expected SubjectPublicKeyInfo as base64"
    return der.read(text, load_der_public_key, wrong)  # type: ignore[return-value]  # `requested_key` let no other in


def _builder(
    subject: x509.Name, issuer: x509.Name, key: CertificatePublicKeyTypes, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
    )


def _name(community: str, common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, community),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _constraints(names: Iterable[str]) -> x509.NameConstraints:
    """What the authority may vouch for: whoever steals its key can forge no site of the web."""
    addresses = {name: _address(name) for name in sorted(names)}
    own = [x509.DNSName(name) for name, address in addresses.items() if address is None]
    odd = [ip_network(at) for at in addresses.values() if at is not None and not any(at in each for each in PRIVATE)]
    return x509.NameConstraints([*own, *map(x509.IPAddress, (*PRIVATE, *odd))], None)


def _general_name(name: str) -> x509.GeneralName:
    address = _address(name)
    return x509.DNSName(name) if address is None else x509.IPAddress(address)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None
