"""The connections of a round of visits: each is opened and closed on its own, and all of them can be cut at once."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Connections:
    """Who waits for the other side of one of them hears at once that it is cut."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._is_cut = False

    @contextmanager
    def to(self, address: str, port: int, timeout_s: float) -> Iterator[socket.socket]:
        """
        A connection, closed in the end.

        Raises
        ------
        OSError
            Nobody answers there in time, or all of them were cut.
        """
        family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as line, self._held(line):
            line.settimeout(timeout_s)
            line.connect(place)
            yield line

    def cut(self) -> None:
        """End them all, and those that are being opened; no other one is opened any more."""
        with self._lock:
            self._is_cut = True
            for line in self._open:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _held(self, line: socket.socket) -> Iterator[None]:
        with self._lock:
            if self._is_cut:
                raise ConnectionAbortedError("the visits were broken off")
            self._open.add(line)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(line)
