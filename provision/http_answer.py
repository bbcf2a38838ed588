"""Reading an HTTP/1.1 answer, within bounds: httptools takes it apart.

`http.client` reads headers by `email.parser`, which costs more than all the rest of a short call.

References: RFC 9112, sections 4, 6.3 and 7.1.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field

from httptools import HttpParserError, HttpResponseParser

#: The next bytes of a connection, at most so many; none at its end.
Receive = Callable[[int], bytes]

PIECE = 1 << 16
MAX_HEAD = 64 * 1024
#: OpenNebula's own limit of a message, 1 GiB, in both directions.
MAX_BODY = 1 << 30
LENGTH, CODING = b"content-length", b"transfer-encoding"


class NotHttp(Exception):
    """What came is no answer of HTTP/1.1, or one that is larger than it may be."""


@dataclass(frozen=True)
class Answer:
    """An answer."""

    status: int
    reason: str
    body: bytes


def read_answer(receive: Receive) -> Answer:
    """The answer that a connection brings; interim ones (`100 Continue`) are passed over.

    Raises
    ------
    NotHttp
        When it is not HTTP, is cut off, says two things of its length, or is larger than it may be.
    OSError
        What `receive` raises; or nothing came at all, as from a front end that goes down.
    """
    coming = _Coming()
    parser = HttpResponseParser(coming)
    while not (coming.complete and parser.get_status_code() >= 200) and (piece := receive(PIECE)):
        try:
            parser.feed_data(piece)
        except HttpParserError as error:
            raise (error.__context__ if isinstance(error.__context__, NotHttp) else NotHttp(str(error))) from None
        coming.count(len(piece))
    if not coming.all_bytes:
        raise ConnectionResetError(errno.ECONNRESET, "it hung up without an answer")
    status = parser.get_status_code()
    if status < 200 or not (coming.complete or coming.ends_with_its_connection):
        raise NotHttp("an answer that is cut off")
    return Answer(status, coming.reason.decode("latin-1"), b"".join(coming.body))


@dataclass
class _Coming:
    """What of an answer has come; the parser calls it."""

    reason: bytes = b""
    said: dict[bytes, set[bytes]] = field(default_factory=dict)
    body: list[bytes] = field(default_factory=list)
    in_body: bool = False
    complete: bool = False
    head_bytes: int = 0
    all_bytes: int = 0

    @property
    def ends_with_its_connection(self) -> bool:
        """Whether nothing but the end of the connection ends it."""
        return self.in_body and not self.said.keys() & {LENGTH, CODING}

    def count(self, size: int) -> None:
        """Bound what is read, and what of it is no body."""
        self.all_bytes += size
        if not self.in_body:
            self.head_bytes += size
        if self.head_bytes > MAX_HEAD or self.all_bytes > MAX_BODY:
            raise NotHttp("an answer that is too large")

    def on_message_begin(self) -> None:
        """Another begins: the one before was an interim one."""
        self.reason, self.said, self.in_body, self.complete = b"", {}, False, False

    def on_status(self, reason: bytes) -> None:
        """A part of the reason."""
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a line of a trailer."""
        self.head_bytes += len(name) + len(value)
        self.said.setdefault(name.lower(), set()).add(value.lower())

    def on_headers_complete(self) -> None:
        """Section 6.1: with a length and a coding, somebody may be smuggling."""
        lengths, codings = self.said.get(LENGTH, set()), self.said.get(CODING, set())
        if len(lengths) > 1 or (codings and (lengths or codings != {b"chunked"})):
            raise NotHttp("its length is told in two ways, or in one that is not known")
        self.in_body = True

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        self.body.append(piece)

    def on_message_complete(self) -> None:
        """It is whole."""
        self.complete = True
