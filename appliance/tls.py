"""What the appliance shows over TLS: its own key, and the certificate that the community gave it last."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

import structlog
from cryptography.x509 import load_pem_x509_certificate

from exchange.certificate import Certificate
from exchange.errors import Malformed
from exchange.tls_key import FILE as KEY_FILE
from exchange.tls_key import own_tls_key

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger("appliance.tls")

CERTIFICATE_FILE = "tls-certificate.pem"

#: For TLS 1.2; those of 1.3 are all good (RFC 9325 4.2, PS3.15 B.12). Our keys are ECDSA.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class Tls:
    """
    The key and certificate of an appliance; every new connection gets those of the moment.

    The last certificate is kept, also when the directory has none for us any more: a revoked branch's people still
    come to their images, and not in clear. Whoever trusted it goes on to see when it ends.

    Parameters
    ----------
    folder
        Where the key lies, for the service alone; made now if there is none.
    """

    def __init__(self, folder: Path) -> None:
        self.key = own_tls_key(folder)
        self._folder = folder
        self._context: ssl.SSLContext | None = None
        self.certificate: Certificate | None = None

    @property
    def ready(self) -> bool:
        """Whether there is a certificate to show."""
        return self._context is not None

    @property
    def names(self) -> frozenset[str]:
        """The names that the certificate vouches for, as a browser asks for them."""
        return self.certificate.dns_names if self.certificate is not None else frozenset()

    def restore(self) -> None:
        """Show the certificate that was kept, if it is for our key."""
        path = self._folder / CERTIFICATE_FILE
        if path.is_file():
            try:
                kept = Certificate.of(load_pem_x509_certificate(path.read_bytes()))
            except ValueError:
                log.warning("certificate", remark=f"{path} holds none: the next directory brings one")
                return
            if kept.key == self.key.public:
                self._show(kept)

    def take(self, text: str, authority: str) -> tuple[str, ...]:
        """
        Show a certificate of a directory from now on; what is to be remarked.

        Parameters
        ----------
        text, authority
            Our certificate and the authority's, DER as base64; either may be empty.
        """
        if not text or (self.certificate is not None and self.certificate.text == text):
            return ()
        try:
            newer, root = Certificate.from_text(text), Certificate.from_text(authority)
        except Malformed as error:
            return (f"the directory's certificate for us cannot be used: {error}",)
        if newer.key != self.key.public:
            return ("the directory's certificate is for another key than ours: `gurney apply` makes one for ours",)
        if newer.issuer_key_id != root.key_id:
            return ("the directory's certificate for us is not of its authority",)
        self._keep(newer)
        self._show(newer)
        log.info("certificate taken", names=sorted(newer.names), until=newer.until.isoformat())
        return ()

    def wrap(self) -> ssl.SSLContext | None:
        """For a connection that is made now; None while there is no certificate."""
        return self._context

    def front(self) -> ssl.SSLContext:
        """For a server that keeps one context: each of its connections gets what is shown at that moment."""
        context = _server_context()
        context.sni_callback = self._choose  # OpenSSL asks it also where the client names nobody
        return context

    def _choose(self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str, _front: ssl.SSLContext) -> int | None:
        if self._context is None:
            return ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE
        connection.context = self._context
        return None

    def _keep(self, certificate: Certificate) -> None:
        """Write it whole or not at all."""
        new = self._folder / f".{CERTIFICATE_FILE}.new"
        with new.open("w", encoding="ascii") as file:
            file.write(certificate.pem)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._folder / CERTIFICATE_FILE)

    def _show(self, certificate: Certificate) -> None:
        context = _server_context()
        context.load_cert_chain(self._folder / CERTIFICATE_FILE, self._folder / KEY_FILE)
        self.certificate, self._context = certificate, context


def _server_context() -> ssl.SSLContext:
    """TLS 1.2 and 1.3 with forward secrecy; no resumption by tickets, whose key would outlive every session's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_ciphers(CIPHERS)
    return context
