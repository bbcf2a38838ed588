"""A certificate (X.509, RFC 5280): for whom, by which authority, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from exchange import der
from exchange.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Extension = TypeVar("Extension", bound=x509.ExtensionType)


@dataclass(frozen=True)
class Certificate:
    """One certificate; `text` is its DER as base64, as it stands in a directory."""

    text: str

    @classmethod
    def from_text(cls, text: str) -> Certificate:
        """The certificate that a text is; raises `Malformed`."""
        certificate = cls(text)
        _ = certificate.names
        return certificate

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Certificate:
        """The same as a value."""
        return cls(der.written(certificate.public_bytes(Encoding.DER)))

    @cached_property
    def x509(self) -> x509.Certificate:
        """As the cryptography library has it; raises `Malformed`."""
        return der.read(self.text, x509.load_der_x509_certificate, "not a certificate: expected DER as base64")

    @property
    def pem(self) -> str:
        """As programs want it in a file."""
        return self.x509.public_bytes(Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        """As phones and Windows want it in a file."""
        return self.x509.public_bytes(Encoding.DER)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over it, as browsers and `openssl x509 -fingerprint -sha256` show it."""
        return self.x509.fingerprint(SHA256()).hex(":").upper()

    @property
    def serial(self) -> int:
        """Its number among those of its authority (RFC 5280 4.1.2.2)."""
        return self.x509.serial_number

    @property
    def until(self) -> datetime:
        """When it ends."""
        return self.x509.not_valid_after_utc

    @property
    def key(self) -> str:
        """The public key that it is for: SubjectPublicKeyInfo as base64."""
        public = self.x509.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return der.written(public)

    @cached_property
    def names(self) -> frozenset[str]:
        """Names and addresses that it is for (RFC 5280 4.2.1.6)."""
        found = self._extension(x509.SubjectAlternativeName)
        if found is None:
            return frozenset()
        return frozenset(map(str, [*found.get_values_for_type(x509.DNSName), *_addresses_in(found)]))

    @property
    def dns_names(self) -> frozenset[str]:
        """Those of `names` that are no addresses."""
        found = self._extension(x509.SubjectAlternativeName)
        return frozenset(found.get_values_for_type(x509.DNSName)) if found is not None else frozenset()

    @property
    def issuer_key_id(self) -> str:
        """Which authority's key signed it, in hexadecimal (RFC 5280 4.2.1.1)."""
        found = self._extension(x509.AuthorityKeyIdentifier)
        return (found.key_identifier or b"").hex() if found is not None else ""

    @property
    def key_id(self) -> str:
        """Its own key, in hexadecimal (RFC 5280 4.2.1.2)."""
        found = self._extension(x509.SubjectKeyIdentifier)
        return found.key_identifier.hex() if found is not None else ""

    @property
    def permitted(self) -> tuple[frozenset[str], tuple[IPv4Network | IPv6Network, ...]]:
        """Of an authority: the names and networks that it may vouch for (RFC 5280 4.2.1.10)."""
        found = self._extension(x509.NameConstraints)
        trees = (found.permitted_subtrees or ()) if found is not None else ()
        names = frozenset(tree.value for tree in trees if isinstance(tree, x509.DNSName))
        return names, tuple(tree.value for tree in trees if isinstance(tree, x509.IPAddress))  # type: ignore[misc]

    def left(self, now: datetime) -> timedelta:
        """How long it still holds; negative when it has ended."""
        return self.until - now

    def is_old(self, now: datetime) -> bool:
        """Whether less than a third of its life is left."""
        return self.left(now) < (self.until - self.x509.not_valid_before_utc) / 3

    def _extension(self, kind: type[Extension]) -> Extension | None:
        try:
            return self.x509.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None
        except ValueError:
            raise Malformed("a certificate with an extension that cannot be read") from None


def read_certificates(content: bytes) -> tuple[Certificate, ...]:
    """The certificates in a file, PEM or DER; raises `Malformed`."""
    try:
        if b"-----BEGIN" in content:
            return tuple(map(Certificate.of, x509.load_pem_x509_certificates(content)))
        return (Certificate.of(x509.load_der_x509_certificate(content)),)
    except ValueError:
        raise Malformed("not a certificate: expected PEM or DER") from None


def _addresses_in(names: x509.SubjectAlternativeName) -> Iterable[IPv4Address | IPv6Address]:
    return names.get_values_for_type(x509.IPAddress)  # type: ignore[return-value]  # networks stand in constraints only
