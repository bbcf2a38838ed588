"""How a call travels: one HTTP request on a connection of its own, with a time limit, and the body of its answer."""

from __future__ import annotations

import re
import socket
import ssl
from queue import SimpleQueue
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from provision.http_answer import NotHttp, read_answer
from provision.spoken import speaks_http, speaks_tls

if TYPE_CHECKING:
    from provision.http_answer import Answer

#: Where OpenNebula's API stands on a front end when its address names no path.
PATH = "/RPC2"
PORTS = {"http": 80, "https": 443}
#: A server of TLS answers the first message before it does anything else; one of plain HTTP waits for the rest of it.
SILENCE_S = 2.0
#: What TLS answers to plain HTTP (RFC 8446, section 6), and what web servers answer to it at a port of TLS.
ALERT, BAD_REQUEST = b"\x15\x03", 400


class NoAddress(ValueError):
    """A text that is no address of a front end."""


class NotOpenNebula(Exception):
    """Something answers at the address, and it does not speak OpenNebula's XML-RPC."""


class Wire:
    """The way to a front end.

    15 idle connections block a front end, so few are open at a time, each is closed after its call, and none is opened
    before it is needed.

    Parameters
    ----------
    endpoint
        URL of the XML-RPC API, as in http://front-end:2633/RPC2.
    connections
        How many are open at a time; who comes later waits for a turn.
    timeout_s
        How long it may take to connect, and between two pieces of an answer.

    Raises
    ------
    NoAddress
        When the endpoint is no URL of that kind.
    """

    def __init__(self, endpoint: str, *, connections: int, timeout_s: float) -> None:
        scheme, host, port, path = _parts(endpoint)
        self._host, self._port, self._timeout_s = host, port, timeout_s
        self._silence_s = min(SILENCE_S, timeout_s)
        self._tls = (
            ssl.create_default_context() if scheme == "https" else None
        )  # checks against this machine's authorities
        named = f"[{host}]" if ":" in host else host
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: {named}:{port}\r\nUser-Agent: gurney\r\nContent-Type: text/xml\r\n"
            "Accept-Encoding: identity\r\nConnection: close\r\nContent-Length: "
        ).encode("ascii")
        self._is_http_heard = False
        self._turns: SimpleQueue[None] = SimpleQueue()
        for _ in range(connections):
            self._turns.put(None)

    def post(self, body: bytes) -> bytes:
        """Send one call; the body of its answer.

        Raises
        ------
        NotOpenNebula
            When what answers is not OpenNebula.
        OSError
            When nothing answers, or not in time.
        """
        self._turns.get()
        try:
            answer = self._exchanged(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        except NotHttp as error:
            raise NotOpenNebula(f"it does not speak HTTP ({error})") from error
        finally:
            self._turns.put(None)
        if answer.status != 200:
            raise NotOpenNebula(f"it answers HTTP {answer.status} {answer.reason}".rstrip())
        return answer.body

    def _exchanged(self, request: bytes) -> Answer:
        with socket.create_connection((self._host, self._port), self._timeout_s) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is None:
                return self._in_clear(plain, request)
            with self._tls.wrap_socket(plain, server_hostname=self._host, do_handshake_on_connect=False) as secure:
                self._shake_hands(secure)
                return _answer_to(secure, request)

    def _in_clear(self, plain: socket.socket, request: bytes) -> Answer:
        try:
            plain.sendall(request)
            if ALERT.startswith(plain.recv(len(ALERT), socket.MSG_PEEK)):  # that, or nothing
                self._refuse_if_tls()
            answer = read_answer(plain.recv)
        except ConnectionError:
            self._refuse_if_tls()
            raise
        if answer.status == BAD_REQUEST:
            self._refuse_if_tls()
        self._is_http_heard = True
        return answer

    def _refuse_if_tls(self) -> None:
        """Look whether TLS is spoken, unless HTTP was heard before: a call that breaks off later costs no look."""
        if not self._is_http_heard and speaks_tls(self._host, self._port, self._silence_s):
            raise NotOpenNebula("it speaks TLS: the address has to begin with https://")

    def _shake_hands(self, secure: ssl.SSLSocket) -> None:
        """TLS's handshake; one that gets no answer goes on after a look whether plain HTTP is spoken there."""
        secure.settimeout(self._silence_s)
        try:
            secure.do_handshake()
        except ssl.SSLCertVerificationError:
            raise
        except OSError as error:
            if speaks_http(self._host, self._port, self._silence_s):
                words = "it speaks plain HTTP, without TLS: the address has to begin with http://"
                raise NotOpenNebula(words) from error
            if not isinstance(error, TimeoutError):
                raise
            secure.settimeout(self._timeout_s)
            secure.do_handshake()
        secure.settimeout(self._timeout_s)


def _answer_to(connection: socket.socket, request: bytes) -> Answer:
    connection.sendall(request)
    return read_answer(connection.recv)


def _parts(endpoint: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path of a URL; a name and password in it are not used, and not repeated."""
    try:
        url = urlsplit(endpoint)
        port = url.port if url.port is not None else PORTS[url.scheme]
    except (ValueError, KeyError) as error:
        raise NoAddress(endpoint) from error
    path = (url.path or PATH) + (f"?{url.query}" if url.query else "")
    if not url.hostname or not re.fullmatch(r"[!-~]+", path) or not re.fullmatch(r"[!-~]+", url.hostname):
        raise NoAddress(endpoint)
    return url.scheme, url.hostname, port, path
