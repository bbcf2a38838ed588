"""Who is at the other end of a connection: an address that reads the same whichever protocol the socket speaks."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


def plain_address(text: str) -> str:
    """
    The address without the clothes that a socket for both protocols puts on it.

    Examples
    --------
    >>> plain_address("::ffff:10.20.1.50"), plain_address("fe80::1%eth0"), plain_address("10.20.1.50")
    ('10.20.1.50', 'fe80::1', '10.20.1.50')

    References
    ----------
    RFC 4291 2.5.5.2: IPv4-mapped IPv6 addresses.
    """
    address = text.partition("%")[0]
    if ":" not in address:
        return address
    return str(IPv6Address(address).ipv4_mapped or address)


class PlainPeers:
    """Lets an application see its clients by their plain addresses: what is logged, limited and audited is one name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope.get("client"):
            address, port = scope["client"]
            scope["client"] = (plain_address(address), port)
        await self._app(scope, receive, send)
