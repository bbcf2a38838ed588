"""One socket for both protocols: whoever comes is known by the same address as over a socket for one."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import PlainTextResponse

from appliance.peer import plain_address
from appliance.web_server import WebServer
from tests.exchange.sshd import free_port

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


@pytest.mark.parametrize(
    ("seen", "plain"),
    [
        ("10.20.1.50", "10.20.1.50"),
        ("::ffff:10.20.1.50", "10.20.1.50"),
        ("::1", "::1"),
        ("fe80::aff:fe14:10a%eth0", "fe80::aff:fe14:10a"),
        ("2001:db8::5", "2001:db8::5"),
        ("", ""),
    ],
)
def test_plain_address(seen: str, plain: str) -> None:
    assert plain_address(seen) == plain


async def who_asks(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(scope["client"][0])(scope, receive, send)


def test_web_server_on_all_addresses_knows_its_clients(port: int) -> None:
    server = WebServer(who_asks, "::", port)
    server.start()
    try:
        assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).text == "127.0.0.1"
        assert httpx.get(f"http://[::1]:{port}/", trust_env=False).text == "::1"
    finally:
        server.stop()


@pytest.fixture
def port() -> int:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    return free_port()
