"""The authority's list of certificates that are good no longer, though they have not ended (CRL, RFC 5280 5)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from exchange import der
from exchange.errors import Malformed

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class RevocationList:
    """One list; `text` is its DER as base64, as it stands in a directory."""

    text: str

    @classmethod
    def of(cls, crl: x509.CertificateRevocationList) -> RevocationList:
        """The same as a value."""
        return cls(der.written(crl.public_bytes(Encoding.DER)))

    @cached_property
    def x509(self) -> x509.CertificateRevocationList:
        """As the cryptography library has it; raises `Malformed`."""
        return der.read(self.text, x509.load_der_x509_crl, "not a revocation list: expected DER as base64")

    @property
    def pem(self) -> str:
        """As programs want it in a file."""
        return self.x509.public_bytes(Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        """As it is downloaded (RFC 5280 4.2.1.13, RFC 2585 4.2)."""
        return self.x509.public_bytes(Encoding.DER)

    @property
    def until(self) -> datetime | None:
        """By when there is a newer one; who checks the list takes no certificate after that."""
        return self.x509.next_update_utc

    @cached_property
    def revoked(self) -> dict[int, datetime]:
        """Serial number to when the certificate was withdrawn."""
        return {each.serial_number: each.revocation_date_utc for each in self.x509}

    @property
    def issuer_key_id(self) -> str:
        """Which authority's key signed it, in hexadecimal (RFC 5280 5.2.1)."""
        try:
            found = self.x509.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        except (x509.ExtensionNotFound, ValueError):
            return ""
        return (found.key_identifier or b"").hex()


def read_revocation_list(content: bytes) -> RevocationList:
    """The revocation list in a file, PEM or DER; raises `Malformed`."""
    load = x509.load_pem_x509_crl if b"-----BEGIN" in content else x509.load_der_x509_crl
    try:
        return RevocationList.of(load(content))
    except ValueError:
        raise Malformed("not a revocation list: expected PEM or DER") from None
