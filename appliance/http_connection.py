"""A browser's connection: it has a place at the door while it lasts, and ends when it is silent where it must speak."""

from __future__ import annotations

import asyncio
import socket
import weakref
from typing import TYPE_CHECKING, Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from appliance.door import Door, Told
from appliance.peer import plain_address

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger("appliance.http")

#: A browser has 6 connections at a time; behind one address may be a ward's ten PCs. HTTP and HTTPS together stay
#: below 1024 descriptors, which is what a process has where nobody gives it more.
PLACES = 256
PLACES_OF_ONE_ADDRESS = 64

#: For the handshake of TLS; from the first byte that is awaited to the end of a request's head; between two pieces of
#: its body. After an answer uvicorn waits 5 s for the next request to begin.
HANDSHAKE_S = 10.0
HEAD_S = 10.0
BODY_SILENCE_S = 30.0


class Entrance(socket.socket):
    """A listening socket that closes at once what finds no place at its door, and gives the rest on."""

    door: Door
    told: Told

    @classmethod
    def over(cls, listening: socket.socket) -> Entrance:
        """The same socket, with a door."""
        entrance = cls(listening.family, listening.type, listening.proto, listening.detach())
        entrance.door = Door(PLACES, PLACES_OF_ONE_ADDRESS)
        entrance.told = Told()
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
        if self.door.enter(address):
            return _Guest.of(plain, lambda: self.door.leave(address)), peer
        plain.close()
        if self.told.is_news(address):
            log.warning("turned away", address=address, reason="no place is free for this address", port=self.port)
        raise ConnectionAbortedError

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.getsockname()[1])


class _Guest(socket.socket):
    """A connection that gives its place back when it is closed, or forgotten."""

    _leave: Callable[[], object]

    @classmethod
    def of(cls, plain: socket.socket, leave: Callable[[], None]) -> _Guest:
        guest = cls(plain.family, plain.type, plain.proto, plain.detach())
        guest._leave = weakref.finalize(guest, leave)
        return guest

    def close(self) -> None:
        super().close()
        self._leave()


class Loop(asyncio.SelectorEventLoop):
    """The event loop of a web server; uvicorn cannot be told how long a handshake may take, asyncio says 60 s."""

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        """Listen."""
        if options.get("ssl") is not None:
            options["ssl_handshake_timeout"] = HANDSHAKE_S
        return await super().create_server(*args, **options)


class HttpConnection(HttpToolsProtocol):
    """uvicorn's connection, which itself would wait for a request's head and body for ever."""

    _patience: asyncio.TimerHandle | None = None
    _in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a piece. A body may take its time; a head may not, however it is cut up."""
        if self._in_body:
            self._wait(BODY_SILENCE_S)
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins; its head has its time from now."""
        super().on_message_begin()
        self._wait(HEAD_S)

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

    def _wait(self, seconds: float | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if self.flow.read_paused:  # it is we who do not listen: what came is not taken up yet
            self._wait(BODY_SILENCE_S)
        else:
            self.transport.abort()
