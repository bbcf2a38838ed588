"""A small HTTP server: a fixed number of threads, each serving one connection at a time.

OpenNebula's own server takes 15 connections at a time and lets the others wait; so does this one, by having 15
threads that accept. It closes each connection after its answer, as OpenNebula does.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emulator.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 15
IDLE_TIMEOUT_S = 15.0  # OpenNebula's KEEPALIVE_TIMEOUT
MAX_HEAD = 64 * 1024
MAX_BODY = 256 * 1024 * 1024
BACKLOG = 1024
PAUSE_S = 0.1  # after a connection that could not be accepted
REASONS = {
    200: "OK", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 411: "Length Required", 413: "Content Too Large", 500: "Internal Server Error",
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A request: header names in lower case."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """An answer."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"


class Dropped(Exception):
    """The connection is to be closed without an answer."""


class BadRequest(Exception):
    """What came is not a request that is served; `args[0]` is the status."""


class WebServer:
    """Serves a handler on an address.

    Parameters
    ----------
    address, port
        Where to listen; port 0 takes a free one.
    handler
        Answers a request.

    Raises
    ------
    EmulatorError
        When the port is busy.
    """

    def __init__(self, address: str, port: int, handler: Callable[[Request], Response]) -> None:
        self._handler = handler
        self._socket = listening_socket(address, port)
        self._stopped = threading.Event()
        self.address: str
        self.port: int
        self.address, self.port = self._socket.getsockname()[:2]
        self._threads = [
            threading.Thread(target=self._serve, name=f"{self.port}-{number}", daemon=True)
            for number in range(MAX_CONNECTIONS)
        ]

    def start(self) -> None:
        """Begin to accept."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Accept no more; answers under way are finished."""
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the threads that wait in accept
        self._socket.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=1.0)

    def _serve(self) -> None:
        while True:
            try:
                connection, _peer = self._socket.accept()
            except OSError:
                if self._stopped.wait(PAUSE_S):
                    return
                continue  # the client is gone already, or this machine is short of something
            with connection:
                try:
                    self._answer(connection)
                except (OSError, Dropped):
                    continue  # the client went away, or is meant to think so

    def _answer(self, connection: socket.socket) -> None:
        # `settimeout` would ask the system once more before each step
        limit = struct.pack("@ll", int(IDLE_TIMEOUT_S), int(IDLE_TIMEOUT_S % 1 * 1e6))  # a timeval, see socket(7)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            request = read_request(connection)
        except BadRequest as bad:
            connection.sendall(_encoded(Response(bad.args[0], b"")))
            return
        connection.sendall(_encoded(self._handled(request)))
        connection.shutdown(socket.SHUT_WR)

    def _handled(self, request: Request) -> Response:
        try:
            return self._handler(request)
        except Dropped:
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.target)
            return Response(500, b"internal error")


def listening_socket(address: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises
    ------
    EmulatorError
        When the address is not this machine's, or the port is busy.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(BACKLOG)
        made.settimeout(None)  # whatever default others set in this process: pyone sets one for everybody
    except OSError as error:
        made.close()
        words = error.strerror or str(error)
        raise EmulatorError(f"cannot listen on {address}:{port}: {words}; choose another port") from error
    return made


def read_request(connection: socket.socket) -> Request:
    """The request that a connection brings.

    Raises
    ------
    BadRequest
        When it is not HTTP, or larger than is served.
    Dropped
        When the client sends nothing.
    """
    head, rest = _read_head(connection)
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3:
        raise BadRequest(400)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if "transfer-encoding" in headers:
        raise BadRequest(411)
    length = headers.get("content-length", "0")
    if not length.isdigit():
        raise BadRequest(400)
    if int(length) > MAX_BODY:
        raise BadRequest(413)
    if headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    return Request(words[0], words[1], headers, _read_body(connection, rest, int(length)))


def _read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    data = bytearray()
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) > MAX_HEAD:
            raise BadRequest(413)
        chunk = connection.recv(65536)
        if not chunk:
            raise Dropped
        data += chunk
    return bytes(data[:end]), bytes(data[end + 4 :])


def _read_body(connection: socket.socket, begun: bytes, length: int) -> bytes:
    parts, missing = [begun], length - len(begun)
    while missing > 0:
        chunk = connection.recv(min(missing, 1 << 20))
        if not chunk:
            raise Dropped
        parts.append(chunk)
        missing -= len(chunk)
    return b"".join(parts)[:length]


def _encoded(response: Response) -> bytes:
    head = (
        f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Unknown')}\r\n"
        f"Content-Type: {response.content_type}\r\nContent-Length: {len(response.body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + response.body
