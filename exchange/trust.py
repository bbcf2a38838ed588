"""Trust in the community's own authority and in nobody else, for a client of an appliance."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exchange.certificate import Certificate


def trust_in(*roots: Certificate) -> ssl.SSLContext:
    """What verifies an appliance: by these authorities alone, by name or address, by nothing older than TLS 1.2.

    References
    ----------
    RFC 9325 3.1.1 (versions), RFC 9110 4.3.4 (names and addresses).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    context.load_verify_locations(cadata="".join(root.pem for root in roots))
    return context
