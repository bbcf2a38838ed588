"""Reading an HTTP/1.1 answer: a status line, bounded headers, and a body of a length that they tell.

`http.client` reads headers by `email.parser`, which costs more than all the rest of a short call.

References: RFC 9112, sections 2.2, 4, 5, 6.3 and 7.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

#: The next bytes of a connection, at most so many; none at its end.
Receive = Callable[[int], bytes]

PIECE = 1 << 16
MAX_HEAD = 64 * 1024
#: OpenNebula's own limit of a message, 1 GiB, in both directions.
MAX_BODY = 1 << 30
#: A chunk's size, with what may stand behind it, and a line of a trailer.
MAX_LINE = 4096

STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9]{2})(?: ([\t -~\x80-\xff]*))?")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")
LENGTH = re.compile(rb"[0-9]{1,15}")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)
NO_BODY = frozenset({204, 304})


class NotHttp(Exception):  # noqa: N818 - named for what came
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
        What `receive` raises.
    """
    pieces = _Pieces(receive)
    while True:
        lines = pieces.until(b"\r\n\r\n", MAX_HEAD).split(b"\r\n")
        line = STATUS_LINE.fullmatch(lines[0])
        if line is None:
            raise NotHttp("no status line")
        if (status := int(line[1])) >= 200:
            reason = (line[2] or b"").decode("latin-1")
            return Answer(status, reason, b"" if status in NO_BODY else _body(pieces, _framing(lines[1:])))


def _framing(lines: list[bytes]) -> dict[bytes, set[bytes]]:
    """What the headers say of the body's length, which is all that matters here."""
    said: dict[bytes, set[bytes]] = {b"content-length": set(), b"transfer-encoding": set()}
    for line in lines:
        field = FIELD.fullmatch(line)
        if field is None:
            raise NotHttp("a header that is none")
        if (name := field[1].lower()) in said:
            said[name].add(field[2].lower())
    return said


def _body(pieces: _Pieces, said: dict[bytes, set[bytes]]) -> bytes:
    lengths, codings = said[b"content-length"], said[b"transfer-encoding"]
    if codings:
        if codings != {b"chunked"} or lengths:  # section 6.1: with both, somebody may be smuggling
            raise NotHttp("its length is told in two ways, or in one that is not known")
        return _chunks(pieces)
    if not lengths:
        return pieces.rest(MAX_BODY)
    if len(lengths) > 1 or not LENGTH.fullmatch(length := lengths.pop()) or int(length) > MAX_BODY:
        raise NotHttp("a length that is none, or too great")
    return pieces.exactly(int(length))


def _chunks(pieces: _Pieces) -> bytes:
    chunks: list[bytes] = []
    left = MAX_BODY
    while size := _chunk_size(pieces.until(b"\r\n", MAX_LINE)):
        left -= size
        if left < 0:
            raise NotHttp("a body that is too large")
        chunks.append(pieces.exactly(size))
        if pieces.exactly(2) != b"\r\n":
            raise NotHttp("a chunk that does not end where it says")
    trailer = MAX_HEAD
    while line := pieces.until(b"\r\n", MAX_LINE):
        trailer -= len(line)
        if trailer < 0:
            raise NotHttp("a trailer that is too long")
    return b"".join(chunks)


def _chunk_size(line: bytes) -> int:
    size = CHUNK_SIZE.fullmatch(line)
    if size is None:
        raise NotHttp("a chunk without a size")
    return int(size[1], 16)


class _Pieces:
    """The bytes of a connection, of which some are left over from the last look."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._over = b""

    def until(self, end: bytes, most: int) -> bytes:
        """What stands before an end, which is taken away too."""
        seen = self._over
        while (place := seen.find(end)) < 0:
            if len(seen) > most:
                raise NotHttp("a head that does not end")
            seen += self._more()
        self._over = seen[place + len(end) :]
        if place > most:
            raise NotHttp("a head that is too long")
        return seen[:place]

    def exactly(self, count: int) -> bytes:
        """The next so many bytes."""
        parts, missing = [self._over], count - len(self._over)
        while missing > 0:
            parts.append(self._more())
            missing -= len(parts[-1])
        whole = b"".join(parts)
        self._over = whole[count:]
        return whole[:count]

    def rest(self, most: int) -> bytes:
        """All until the connection is closed."""
        parts, size = [self._over], len(self._over)
        while size <= most and (piece := self._receive(PIECE)):
            parts.append(piece)
            size += len(piece)
        if size > most:
            raise NotHttp("a body that is too large")
        self._over = b""
        return b"".join(parts)

    def _more(self) -> bytes:
        piece = self._receive(PIECE)
        if not piece:
            raise NotHttp("an answer that is cut off")
        return piece
