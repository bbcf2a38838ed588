"""The wire reads what a front end answers, refuses what is no answer, and leaves no connection open."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.errors import CloudError, CloudUnreachable, WrongAccess
from provision.http_answer import MAX_BODY, MAX_HEAD, NotHttp, read_answer
from provision.opennebula import Cloud
from provision.wire import NoAddress, NotOpenNebula, Wire
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OK = b"HTTP/1.1 200 OK\r\n"

#: A record of TLS that begins a handshake (RFC 8446, section 5.1).
HELLO = b"\x16\x03"

#: A loaded machine makes no example wrong.
QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class FrontEnd:
    """Says the same to everybody, and counts who is connected."""

    def __init__(self, answer: Callable[[bytes], list[bytes]], pause_s: float = 0) -> None:
        self._answer, self._pause_s = answer, pause_s
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}/RPC2"
        self._lock = threading.Lock()
        self.open = self.served = self.unanswered = self.most_unanswered = 0
        self.requests: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self.open += 1
            self.served += 1
            self.unanswered += 1
            self.most_unanswered = max(self.most_unanswered, self.unanswered)
        with connection:
            self.requests.append(_request(connection))
            time.sleep(self._pause_s)
            with self._lock:
                self.unanswered -= 1
            try:
                for piece in self._answer(self.requests[-1]):
                    connection.sendall(piece)
                    time.sleep(0.002 if self._pause_s else 0)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass
            except OSError:
                pass  # the client hung up
            finally:
                with self._lock:
                    self.open -= 1


def _request(connection: socket.socket) -> bytes:
    request = b""
    while b"</methodCall>" not in request and not request.endswith(b"\r\n\r\nping"):
        piece = connection.recv(4096)
        if not piece or piece.startswith(HELLO):
            break
        request += piece
    return request


@contextmanager
def front_end(*pieces: bytes, pause_s: float = 0) -> Iterator[FrontEnd]:
    made = FrontEnd(lambda _request: list(pieces), pause_s)
    try:
        yield made
    finally:
        made.close()


def posted(*pieces: bytes) -> bytes:
    with front_end(*pieces) as there:
        return Wire(there.address, connections=1, timeout_s=60).post(b"ping")


def reply(value: str) -> bytes:
    """An answer with one value, as oned writes it."""
    value = f"<value><array><data>{value}</data></array></value>"
    body = f"<?xml version='1.0'?>\r\n<methodResponse>\r\n<params><param>{value}</param></params></methodResponse>"
    return OK + f"Content-Length: {len(body.encode())}\r\nConnection: close\r\n\r\n{body}".encode()


DONE = reply("<value><boolean>1</boolean></value><value><i4>7</i4></value><value><i4>0</i4></value>")


@pytest.mark.parametrize(
    "pieces",
    [
        (OK + b"Content-Length: 5\r\n\r\nhello",),
        (OK + b"content-length:5 \r\n\r\nhello",),
        (b"HTTP/1.0 200\r\n\r\nhe", b"llo"),
        (OK + b"Transfer-Encoding: Chunked\r\n\r\n3;x=y\r\nhel\r\n02\r\nlo\r\n0\r\nX: y\r\n\r\n",),
        tuple(bytes([each]) for each in OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", OK + b"Content-Length: 5\r\n\r\nhello"),
    ],
    ids=["length", "loosely", "until closed", "chunks", "byte by byte", "after 100"],
)
def test_every_way_to_tell_a_length_is_read(pieces: tuple[bytes, ...]) -> None:
    assert posted(*pieces) == b"hello"


@pytest.mark.parametrize(
    "answer",
    [
        b"220 mail.example ESMTP\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
        OK + b"Content-Length: 50\r\n\r\nhello",
        OK + b"Content-Length: -5\r\n\r\nhello",
        OK + b"Content-Length: 0x5\r\n\r\nhello",
        OK + b"Content-Length: 5, 5\r\n\r\nhello",
        OK + b"Content-Length: 5\r\nContent-Length: 4\r\n\r\nhello",
        OK + b"Content-Length: %d\r\n\r\nhello" % (MAX_BODY + 1),
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\nhello\r\n0\r\n\r\n" % (MAX_BODY + 1),
        OK + b"Content-Length: 5\r\n\r\nhello and more",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * MAX_HEAD,
        OK + b"X-Folded: one\r\n two\r\n\r\nhello",
        OK + b"No Name: x\r\n\r\nhello",
        OK + b"X-Control: a\x00b\r\n\r\nhello",
        OK + b"X: " + b"y" * (MAX_HEAD + 10) + b"\r\n\r\nhello",
        OK + b"X: y\r\n" * MAX_HEAD,
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
    ids=lambda answer: answer[15:60].decode("latin-1").encode("unicode_escape").decode(),
)
def test_what_is_no_answer_is_refused_in_words(answer: bytes) -> None:
    with pytest.raises(NotOpenNebula, match=r"it does not speak HTTP \(.+\)$"):
        posted(answer)


def test_who_hangs_up_without_a_word_does_not_answer() -> None:
    with pytest.raises(ConnectionResetError, match="it hung up without an answer"):
        posted(b"")


def test_whether_tls_is_spoken_is_looked_for_until_http_is_heard() -> None:
    answers = iter([[], [OK + b"Content-Length: 5\r\n\r\nhello"], []])
    there = FrontEnd(lambda request: next(answers) if request else [])  # who looks begins a handshake
    wire = Wire(there.address, connections=1, timeout_s=60)
    with pytest.raises(ConnectionError):
        wire.post(b"ping")
    assert b"" in there.requests
    assert wire.post(b"ping") == b"hello"
    there.requests.clear()
    with pytest.raises(ConnectionError):
        wire.post(b"ping")
    assert b"" not in there.requests
    there.close()


def fed(pieces: Iterator[bytes]) -> Callable[[int], bytes]:
    return lambda _size: next(pieces, b"")


@QUIET
@given(st.binary(max_size=200), st.integers(1, 7))
def test_any_bytes_are_an_answer_or_refused(noise: bytes, size: int) -> None:
    for head in (b"", OK, OK + b"Transfer-Encoding: chunked\r\n\r\n"):
        text = head + noise
        pieces = iter([text[place : place + size] for place in range(0, len(text), size)])
        try:
            answer = read_answer(fed(pieces))
        except NotHttp:
            continue
        except ConnectionResetError:
            assert not text
            continue
        assert len(answer.body) <= len(text)


def test_another_status_is_told_with_its_reason() -> None:
    with pytest.raises(NotOpenNebula, match="it answers HTTP 503 Try later"):
        posted(b"HTTP/1.1 503 Try later\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"<html><body/></html>",
        b"<methodResponse/>",
        b"<methodResponse><params/></methodResponse>",
        b"<methodResponse><params><param><value>x</value></param></params></methodResponse>",
        b"<methodResponse><params><param><value><i4>x</i4></value></param></params></methodResponse>",
        b"<methodResponse><params><param><value><what/></value></param></params></methodResponse>",
        b"<methodResponse><fault><value><i4>1</i4></value></fault></methodResponse>",
        b"<methodResponse><params><param>" + b"<value><array><data>" * 9000 + b"</data></array></value>" * 9000,
        b"<methodResponse><params><param>"
        + b"<value><array><data>" * 9000
        + b"</data></array></value>" * 9000
        + b"</param></params></methodResponse>",
        b'<!DOCTYPE x [<!ENTITY a "%s"><!ENTITY b "%s">]><x>&b;&b;&b;</x>' % (b"a" * 9000, b"&a;" * 9000),
    ],
    ids=lambda body: body[:60].decode(),
)
def test_what_is_no_xml_rpc_is_refused_in_words(body: bytes) -> None:
    with front_end(OK + b"\r\n" + body) as there, pytest.raises(CloudUnreachable, match=r"is not XML-RPC|cut short"):
        Cloud(there.address, "me:secret", timeout_s=60).call("system.version")


def test_an_answer_that_is_cut_short_is_refused() -> None:
    cut = reply("<value><boolean>1</boolean></value>")
    with front_end(cut) as there, pytest.raises(CloudUnreachable, match="cut short"):
        Cloud(there.address, "me:secret").call("image.chown", 1, 2, 3)


def test_a_fault_is_told_in_its_own_words() -> None:
    code = "<member><name>faultCode</name><value><i4>-506</i4></value></member>"
    text = "<member><name>faultString</name><value>Method 'x' not defined</value></member>"
    body = f"<methodResponse><fault><value><struct>{code}{text}</struct></value></fault></methodResponse>"
    with front_end(OK + b"\r\n" + body.encode()) as there, pytest.raises(CloudError, match="Method 'x' not defined"):
        Cloud(there.address, "me:secret").call("x")


def test_a_silent_front_end_is_given_up_in_time() -> None:
    with (
        front_end(b"HTTP/1.1", pause_s=1) as there,
        pytest.raises(CloudUnreachable, match="does not answer: timed out"),
    ):
        Cloud(there.address, "me:secret", timeout_s=0.2).call("system.version")


def test_few_connections_are_open_at_a_time_and_none_stays() -> None:
    """15 idle ones block a front end: each is closed after its call, also when its server would keep it."""
    with front_end(DONE, pause_s=0.01) as there, ThreadPoolExecutor(24) as workers:
        cloud = Cloud(there.address, "me:secret", connections=6)
        assert set(workers.map(lambda number: cloud.call("image.chown", number, 0, 0), range(60))) == {7}
        until(lambda: there.open == 0, "the end of every connection")
        assert 1 < there.most_unanswered <= 6
        assert there.served == cloud.calls.total() == 60


def test_a_turn_is_given_back_whatever_happens() -> None:
    with front_end(b"nonsense\r\n\r\n") as there:
        wire = Wire(there.address, connections=1, timeout_s=60)
        for _ in range(3):
            with pytest.raises(NotOpenNebula):
                wire.post(b"ping")


def test_the_request_names_its_host_and_asks_for_no_more() -> None:
    with front_end(DONE) as there:
        Cloud(there.address, "me:sec&ret").call("image.chown", 1)
    head, _, body = there.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /RPC2 HTTP/1.1"
    assert f"Host: {there.address[7:-5]}" in lines
    assert "Connection: close" in lines
    assert f"Content-Length: {len(body)}" in lines


@pytest.mark.parametrize(
    "endpoint",
    ["", "front-end", "ftp://front-end/RPC2", "http://", "http://front-end:x/RPC2", "http://front-end:99999/RPC2",
     "http://front-end/RPC2 HTTP/1.1", "http://front-end/RPC2\r\nX: y", "http://fr\xf6nt/", "http://[::1/RPC2"],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_words(endpoint: str) -> None:
    with pytest.raises(NoAddress):
        Wire(endpoint, connections=1, timeout_s=1)
    with pytest.raises(WrongAccess, match="no address of an XML-RPC API"):
        Cloud(endpoint, "me:secret")
