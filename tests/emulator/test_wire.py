"""XML-RPC as it goes over the wire: faults, hostile input, many clients at once."""

from __future__ import annotations

import http.client
import socket
import threading
import time
import xmlrpc.client
from typing import TYPE_CHECKING, Any

import pytest

from emulator import web

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.cloud import Cloud


SESSION = "the caller's"


def post(cloud: Cloud, body: bytes, path: str = "/RPC2", method: str = "POST") -> tuple[int, bytes]:
    """Status and body of a raw request."""
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=20)
    connection.request(method, path, body, {"Content-Type": "text/xml"})
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def fault(body: bytes) -> tuple[int, str]:
    """Code and text of a fault."""
    with pytest.raises(xmlrpc.client.Fault) as found:
        xmlrpc.client.loads(body)
    return found.value.faultCode, found.value.faultString


def call(cloud: Cloud, method: str, *values: Any) -> bytes:
    """The answer to a call with these values."""
    return post(cloud, xmlrpc.client.dumps(values, method, allow_none=True).encode())[1]


@pytest.mark.parametrize(
    ("method", "values", "code", "text"),
    [
        ("one.no.such", ("a:b",), -506, "Method 'one.no.such' not defined"),
        ("one.vm.info", (SESSION,), -501, "Not enough parameters"),
        ("one.vm.info", (), -501, "Not enough parameters"),
        ("one.vm.info", (SESSION, "7"), -501, "Parameter that is supposed to be integer is not"),
        ("one.vm.info", (7, 7), -501, "Parameter that is supposed to be string is not"),
        ("one.user.addgroup", (SESSION, 1, True), -501, "Parameter that is supposed to be integer is not"),
    ],
)
def test_faults(cloud: Cloud, method: str, values: tuple[Any, ...], code: int, text: str) -> None:
    """Unknown methods and wrong parameters end in XML-RPC's own faults, as the real front end words them."""
    told = [cloud.session if value == SESSION else value for value in values]
    assert fault(call(cloud, method, *told)) == (code, text)


BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><methodCall><methodName>&c;</methodName></methodCall>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<methodCall><methodName>one.system.version</methodName><params><param><value>&a;</value></param></params></methodCall>"""


@pytest.mark.parametrize(
    "body",
    [b"", b"<", b"\x00\xff", b"<a/>", b"<methodCall/>", BOMB, OUTSIDE, b"<value>" * 50_000],
    ids=["empty", "cut", "binary", "other", "no-name", "bomb", "outside", "deep"],
)
def test_hostile_requests(cloud: Cloud, body: bytes) -> None:
    """What is no call ends in a fault, expands nothing, reads nothing, and harms no one."""
    code, text = fault(post(cloud, body)[1])
    assert code in {-503, -506}
    assert "root:" not in text
    assert b"7.4.0" in call(cloud, "one.system.version", cloud.session)


def test_other_paths_and_verbs(cloud: Cloud) -> None:
    """Only POST to /RPC2 is the API."""
    assert post(cloud, b"", method="GET")[0] == 405
    assert post(cloud, b"x", path="/other")[0] == 404


def test_hundred_clients(cloud: Cloud) -> None:
    """A hundred clients at once are all served, 15 at a time."""
    replies: list[bytes] = []

    def client(number: int) -> None:
        replies.append(call(cloud, "one.template.allocate", cloud.session, f'NAME="t{number}"'))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    answers: list[Any] = [xmlrpc.client.loads(reply)[0][0] for reply in replies]
    ids = [answer[1] for answer in answers]
    assert sorted(ids) == list(range(100))


def test_fifteen_at_a_time(make_cloud: Callable[..., Cloud]) -> None:
    """Sixteen slow calls take two turns."""
    cloud = make_cloud(delay_ms=300)
    threads = [threading.Thread(target=call, args=(cloud, "one.system.version", cloud.session)) for _ in range(16)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began >= 0.6


def test_silent_clients_block_no_one(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that connect and say nothing do not keep others waiting for ever."""
    monkeypatch.setattr(web, "IDLE_TIMEOUT_S", 1.0)
    silent = [socket.create_connection(("127.0.0.1", cloud.port)) for _ in range(20)]
    try:
        assert b"7.4.0" in call(cloud, "one.system.version", cloud.session)
    finally:
        for one in silent:
            one.close()


def test_a_default_timeout_of_the_process_ends_no_server(
    make_cloud: Callable[..., Cloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    socket.setdefaulttimeout(0.05)
    try:
        cloud = make_cloud()
        time.sleep(0.2)
    finally:
        socket.setdefaulttimeout(None)
    monkeypatch.setattr(web, "PAUSE_S", 0.01)
    status, _ = post(cloud, xmlrpc.client.dumps((SESSION,), "one.system.version").encode())
    assert status == 200
