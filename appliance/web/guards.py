"""What every request passes before a page or the API sees it: host, size, origin; and what every answer carries."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from starlette.datastructures import URL, Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Forms and JSON only: nothing that is uploaded here is larger.
MAX_BODY_BYTES = 64 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = frozenset({"/health", "/favicon.ico", "/trust"})
#: A name, or an IPv6 address in brackets, and a port (RFC 9110 7.2; RFC 3986 3.2.2).
HOST = re.compile(r"(?:\[([^\[\]@/]*)\]|([^:\[\]@/]*))(?::([0-9]{0,5}))?", re.ASCII)
HIGHEST_PORT = 65535
OWN_SITES = frozenset({"same-origin", "none"})

ANSWER_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it a browser sends "Origin: null" with our own forms (Fetch standard, 3.2).
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}


class OwnHost:
    """Refuses a Host header that is no address and none of our names: a foreign one may point at us (DNS rebinding).

    Parameters
    ----------
    names
        What we are called, always.
    vouched
        What else we are called at this moment: the names that our certificate holds.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str], vouched: Callable[[], frozenset[str]]) -> None:
        self.app = app
        self.names = names | {"localhost"}
        self.vouched = vouched

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421 Misdirected Request."""
        if scope["type"] == "http" and not self._ours(Headers(scope=scope).get("host", "")):
            await _refuse("This appliance is not called by that name.", 421)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _ours(self, host: str) -> bool:
        name = host_name(host)
        return name in self.names or _is_address(name) or name in self.vouched()


def host_name(host: str) -> str:
    """The name or address of a Host header, without its port and brackets, in lower case; empty where it is none."""
    parts = HOST.fullmatch(host)
    if parts is None or int(parts[3] or 0) > HIGHEST_PORT:
        return ""
    return (parts[1] or parts[2] or "").lower()


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class Encrypted:
    """Shows whoever asks in clear the way to the page over TLS, once there is one.

    What needs no protection is answered in clear as well: how to come to trust the page, and whether the appliance is
    well. This machine itself is let through: on the embedded cloud nothing of it goes over a wire.
    """

    def __init__(self, app: ASGIApp, secure_port: Callable[[], int]) -> None:
        self.app = app
        self.secure_port = secure_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 308 Permanent Redirect; 403 to what would be repeated with its content."""
        port = self.secure_port() if scope["type"] == "http" and scope["scheme"] == "http" else 0
        if not port or is_open(scope["path"]) or _is_loopback(scope):
            await self.app(scope, receive, send)
            return
        target = secure_url(URL(scope=scope), port)
        if scope["method"] in SAFE_METHODS:
            await RedirectResponse(target, 308)(scope, receive, send)
        else:
            await _refuse(f"This appliance takes nothing in clear: go to {target}", 403)(scope, receive, send)


def secure_url(url: URL, port: int) -> str:
    """The same place over TLS; on the standard port where the standard port of HTTP was asked."""
    return str(url.replace(scheme="https", port=port if url.port not in {None, 80} else None))


def is_open(path: str) -> bool:
    """Whether a page is the same for everyone and says nothing of anybody."""
    return path in OPEN_PATHS or path.startswith(("/static/", "/trust/"))


def _is_loopback(scope: Scope) -> bool:
    client = scope.get("client")
    return client is not None and _is_address(client[0]) and ip_address(client[0]).is_loopback


class SmallBody:
    """Refuses a body that is larger than any form of ours, by its declared length or while it arrives."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counted body, or answer 413."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared) > MAX_BODY_BYTES:
            await _refuse("That is more than this appliance takes in one request.", 413)(scope, receive, send)
            return
        await self.app(scope, _counted(receive), send)


def _counted(receive: Receive) -> Receive:
    """The same body, cut off as a lost connection is once it grows too large."""
    seen = 0

    async def counting() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if seen > MAX_BODY_BYTES else message

    return counting


class OwnOrigin:
    """Refuses what another site's page makes a browser send; old browsers are held by the token in our forms."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS and not _from_here(scope):
            await _refuse("This request came from another site.", 403)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _from_here(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site")
    if site is not None and site not in OWN_SITES:
        return False
    origin = headers.get("origin")
    return origin is None or origin == f"{scope['scheme']}://{headers.get('host', '')}"


class Armour:
    """Puts the headers on every answer that keep a browser from framing, guessing, keeping or leaking it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add to its answer what it did not set itself."""

        async def armoured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in ANSWER_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, armoured)


def _refuse(reason: str, status: int) -> PlainTextResponse:
    return PlainTextResponse(reason + "\n", status)
