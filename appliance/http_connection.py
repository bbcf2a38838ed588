"""A browser's connection: it has a place at the door while it lasts, and ends when it is silent where it must speak."""

from __future__ import annotations

import asyncio
import socket
import weakref
from collections import Counter
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from appliance.door import Door, Limits, Told
from appliance.peer import plain_address

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger("appliance.http")

#: A browser has 6 connections at a time; behind one address may be a ward's ten PCs. HTTP and HTTPS together stay
#: below 1024 descriptors, which is what a process has where nobody gives it more.
LIMITS = Limits(places=256, of_one_address=64, of_strangers=256)

#: For the handshake of TLS; from the first byte that is awaited to the end of a request's head; between two pieces of
#: its body. After an answer uvicorn waits 5 s for the next request to begin.
HANDSHAKE_S = 10.0
HEAD_S = 10.0
BODY_SILENCE_S = 30.0

#: What one request's head takes of memory, and its trailers, and requests that do not wait for an answer: uvicorn keeps
#: all that comes. A browser's head has some 20 lines and 2 kB, and browsers wait; Apache takes 100 lines.
HEAD_BYTES = 64 * 1024
HEAD_LINES = 100
IN_ADVANCE = 8


class Entrance(socket.socket):
    """
    A listening socket that closes at once what finds no place at its door, and gives the rest on.

    Where all places are taken, an address that keeps more connections waiting than any other loses the one that has
    waited longest. All of it happens in the thread of the event loop.
    """

    door: Door
    told: Told
    guests: WeakValueDictionary[Any, Guest]

    @classmethod
    def over(cls, listening: socket.socket) -> Entrance:
        """The same socket, with a door."""
        entrance = cls(listening.family, listening.type, listening.proto, listening.detach())
        entrance.door = Door(LIMITS)
        entrance.told = Told()
        entrance.guests = WeakValueDictionary()
        return entrance

    def accept(self) -> tuple[socket.socket, Any]:
        """
        The next connection.

        Raises
        ------
        ConnectionAbortedError
            It found no place and is closed; the caller takes the next one when it gets to it.
        """
        plain, peer = super().accept()
        address = plain_address(str(peer[0]))
        if self._enters(address):
            guest = Guest.of(plain, address, lambda: self.door.leave(address))
            self.guests[peer] = guest
            return guest, peer
        plain.close()
        self.tell("turned away", address, "no place is free for this address")
        raise ConnectionAbortedError

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.getsockname()[1])

    def _enters(self, address: str) -> bool:
        if self.door.enter(address):
            return True
        return self.door.is_only_full(address) and self._makes_way() and self.door.enter(address)

    def _makes_way(self) -> bool:
        """Whether somebody who had a place and nothing to say has it no more."""
        waiting = [guest for guest in self.guests.values() if not guest.is_busy()]
        crowds = Counter(guest.address for guest in waiting)
        if not waiting:
            return False
        longest = min(waiting, key=lambda guest: (-crowds[guest.address], guest.since))
        longest.leave()
        self.tell("made way", longest.address, "all places are taken, and nothing was said on this connection")
        return True

    def tell(self, event: str, address: str, reason: str) -> None:
        """Say in the log what became of a connection; once a minute for each address."""
        if self.told.is_news(address):
            log.warning(event, address=address, reason=reason, port=self.port)


class Guest(socket.socket):
    """A connection that gives its place back when it is closed, or forgotten.

    Attributes
    ----------
    since
        When it began to wait for what its client says next.
    is_busy
        Whether it does not wait, but is being answered.
    """

    address: str
    since: float
    is_busy: Callable[[], bool]
    _leave: Callable[[], object]

    @classmethod
    def of(cls, plain: socket.socket, address: str, leave: Callable[[], None]) -> Guest:
        """The same connection, with a place to give back."""
        guest = cls(plain.family, plain.type, plain.proto, plain.detach())
        guest.address, guest.since, guest.is_busy = address, monotonic(), _never
        guest._leave = weakref.finalize(guest, leave)
        return guest

    def leave(self) -> None:
        """Give the place back now; whoever serves the connection finds that it has ended."""
        self._leave()
        self.is_busy = _always
        with suppress(OSError):  # it has ended
            self.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it."""
        super().close()
        self._leave()


def _never() -> bool:
    return False


def _always() -> bool:
    return True


class Loop(asyncio.SelectorEventLoop):
    """The event loop of a web server; uvicorn cannot be told how long a handshake may take, asyncio says 60 s."""

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        """Listen."""
        if options.get("ssl") is not None:
            options["ssl_handshake_timeout"] = HANDSHAKE_S
        return await super().create_server(*args, **options)


class HttpConnection(HttpToolsProtocol):
    """uvicorn's connection, which itself would wait for a request's head and body for ever, however long they are."""

    entrance: Entrance
    _guest: Guest | None = None
    _patience: asyncio.TimerHandle | None = None
    _in_body = False
    _head_bytes = 0
    _excess = ""

    @classmethod
    def at(cls, entrance: Entrance) -> type[HttpConnection]:
        """Connections of this entrance."""
        return type("HttpConnectionAtEntrance", (cls,), {"entrance": entrance})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._guest = self.entrance.guests.get(transport.get_extra_info("peername"))
        if self._guest is not None:
            self._guest.is_busy = self._is_answering
        self._wait(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait(None)
        if self._guest is not None:
            self._guest.is_busy = _always
            self._guest = None
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """What was asked is answered; the client is to speak again."""
        if self._guest is not None:
            self._guest.since = monotonic()
        super().on_response_complete()

    def _is_answering(self) -> bool:
        """Whether a request is whole and its answer is not out."""
        return (self._is_due() and not self._in_body) or self.transport.get_write_buffer_size() > 0

    def _is_due(self) -> bool:
        """Whether a request's head is whole and its answer is not out."""
        return self.cycle is not None and not self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Take a piece. A body may take its time; a head may not, however it is cut up, nor may both be endless."""
        if self._in_body:
            self._wait(BODY_SILENCE_S)
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > HEAD_BYTES:
            self._excess = "a request's head, or what follows its body, is too long"
        if self._excess:
            self._cut_off()
        elif self._patience is None and not self._is_due():  # an empty line, which begins nothing
            self._wait(HEAD_S)

    def on_message_begin(self) -> None:
        """A request begins; its head has its time from now."""
        self._bound(len(self.pipeline), IN_ADVANCE, "too many requests that await no answer")
        super().on_message_begin()
        self._head_bytes = 0
        self._wait(HEAD_S)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the head, or of the trailers."""
        self._bound(len(self.headers), HEAD_LINES, "too many lines in a request's head, or after its body")
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A piece of the body, whose length `guards.SmallBody` sees to."""
        self._head_bytes = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_body = True
        self._wait(BODY_SILENCE_S)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole; the answer may take as long as it does."""
        self._in_body = False
        self._wait(None)
        super().on_message_complete()

    def _bound(self, count: int, most: int, excess: str) -> None:
        """Stop the parser, which knows no end of a piece but an error, at what is one too many."""
        if count >= most:
            self._excess = excess
            raise ValueError(excess)

    def _cut_off(self) -> None:
        self.entrance.tell("cut off", plain_address(self.client[0]) if self.client else "", self._excess)
        self.transport.abort()

    def _wait(self, seconds: float | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if self.flow.read_paused:  # it is we who do not listen: what came is not taken up yet
            self._wait(BODY_SILENCE_S)
        else:
            self.transport.abort()
