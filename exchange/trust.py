"""Trust in the community's own authority and in nobody else, for a client of an appliance."""

from __future__ import annotations

import ssl
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exchange.certificate import Certificate
    from exchange.revocation_list import RevocationList


def trust_in(*roots: Certificate, revoked: RevocationList | None = None) -> ssl.SSLContext:
    """What verifies an appliance: by these authorities alone, by name or address, by nothing older than TLS 1.2.

    Parameters
    ----------
    revoked
        The authority's revocation list: what stands there is not believed, nor anything once the list has ended.

    References
    ----------
    RFC 9325 3.1.1 (versions), RFC 9110 4.3.4 (names and addresses).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    context.load_verify_locations(cadata="".join(root.pem for root in roots))
    if revoked is not None:
        _check_against(context, revoked)
    return context


def _check_against(context: ssl.SSLContext, revoked: RevocationList) -> None:
    """OpenSSL reads a revocation list from a file alone."""
    with NamedTemporaryFile("w", encoding="ascii", suffix=".pem") as file:
        file.write(revoked.pem)
        file.flush()
        context.load_verify_locations(cafile=file.name)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
