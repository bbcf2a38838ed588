"""An appliance's key for TLS, which never leaves it; what leaves it is a request for a certificate (PKCS #10)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from exchange import der
from exchange.errors import AlreadyThere, Malformed, NotThere
from exchange.folder import Folder

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

FILE = "tls-key.pem"
_MAX_FILE_BYTES = 4096
#: A request for a P-256 key has 200 bytes.
_MAX_REQUEST = 4096


@dataclass(frozen=True)
class TlsKey:
    """An ECDSA key on P-256; `text` is the secret, PEM."""

    text: str = field(repr=False)

    @classmethod
    def generate(cls) -> TlsKey:
        """A new one, from the operating system's randomness."""
        key = generate_private_key(SECP256R1())
        return cls(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())

    @property
    def public(self) -> str:
        """SubjectPublicKeyInfo as base64."""
        return _public_text(self._key.public_key())

    def request(self) -> str:
        """A request for a certificate, DER as base64: it shows that its maker holds the key, and asks for no name.

        Names are the community's to give.
        """
        asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(self._key, SHA256())
        return der.written(asked.public_bytes(Encoding.DER))

    @property
    def _key(self) -> EllipticCurvePrivateKey:
        try:
            key = load_pem_private_key(self.text.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, EllipticCurvePrivateKey):
            raise Malformed(f"{FILE} holds no key for TLS")
        return key


def requested_key(request: str) -> str:
    """The public key for which a certificate is asked, as base64; its holder signed the request.

    Raises
    ------
    Malformed
        It is no request, is signed by another key, or is for a kind of key that we make no certificate for.
    """
    otherwise = "not a request for a certificate: expected PKCS #10 as base64"
    key, signed = der.read(request[:_MAX_REQUEST], _key_and_whether_signed, otherwise)
    if not (signed and isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)):
        raise Malformed("a request for a certificate that its key did not sign, or of another kind than P-256")
    return _public_text(key)


def _key_and_whether_signed(request: bytes) -> tuple[CertificatePublicKeyTypes, bool]:
    asked = x509.load_der_x509_csr(request)
    return asked.public_key(), asked.is_signature_valid


def load_tls_key(folder: Path) -> TlsKey:
    """The key that lies in the folder; raises `NotThere`."""
    if not folder.is_dir():
        raise NotThere(f"no key for TLS in {folder}")
    key = TlsKey(Folder(folder).read(FILE, _MAX_FILE_BYTES).decode("ascii", "replace"))
    _ = key.public
    return key


def own_tls_key(folder: Path) -> TlsKey:
    """The key in the folder, made now if there is none."""
    with suppress(NotThere):
        return load_tls_key(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(AlreadyThere):  # a second process was first
        Folder(folder, mode=0o600).put(FILE, TlsKey.generate().text.encode())
    return load_tls_key(folder)


def _public_text(key: EllipticCurvePublicKey) -> str:
    return der.written(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
