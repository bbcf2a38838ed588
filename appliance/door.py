"""The door of a port: how many connections one address, and all together, have at a time."""

from __future__ import annotations

import threading
import time
from collections import Counter

#: How often the log and the audit are told of one address that is turned away, and how many are remembered.
TOLD_AGAIN_S = 60.0
TOLD_ADDRESSES = 1024


class Door:
    """
    Counts who is in. Many threads may come and go at once.

    Parameters
    ----------
    places
        The most connections there are: what they take of memory, threads and descriptors is bounded by this.
    of_one_address
        Of these, the most that one address has: who connects and says nothing shall not keep the others out.
    """

    def __init__(self, places: int, of_one_address: int) -> None:
        self._places = places
        self._of_one_address = of_one_address
        self._inside: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, address: str) -> bool:
        """Take a place, if there is one."""
        with self._lock:
            if self._inside.total() >= self._places or self._inside[address] >= self._of_one_address:
                return False
            self._inside[address] += 1
            return True

    def leave(self, address: str) -> None:
        """Give a place back."""
        with self._lock:
            self._inside[address] -= 1
            if self._inside[address] <= 0:
                del self._inside[address]


class Told:
    """Which addresses were told of lately: knocking must not fill the disk."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def is_news(self, address: str) -> bool:
        """Whether this address was told of longer than a minute ago; it counts as told of from now on."""
        now = time.monotonic()
        if now - self._told.get(address, -TOLD_AGAIN_S) < TOLD_AGAIN_S:
            return False
        if len(self._told) >= TOLD_ADDRESSES:
            self._told.clear()
        self._told[address] = now
        return True
