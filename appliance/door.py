"""The door of a port: how many connections one address, those whom nobody named, and all together have at a time."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass

#: How often the log and the audit are told of one address that is turned away, and how many are remembered.
TOLD_AGAIN_S = 60.0
TOLD_ADDRESSES = 1024


@dataclass(frozen=True)
class Limits:
    """
    The most connections that there are at a time, and the most that one address has.

    Attributes
    ----------
    places
        What they take of memory, threads and descriptors is bounded by this.
    of_one_address
        Who connects and says nothing shall not keep the others out.
    of_strangers
        Of all strangers together, half of it of each: several addresses shall not keep out who is known.
    """

    places: int
    of_one_address: int
    of_strangers: int


class Door:
    """Counts who is in. Many threads may come and go at once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._inside: Counter[str] = Counter()
        self._strangers: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, address: str, *, is_known: bool = True) -> bool:
        """Take a place, if there is one."""
        with self._lock:
            if not (self._has_place(address) and (is_known or self._has_place_for_stranger(address))):
                return False
            self._inside[address] += 1
            if not is_known:
                self._strangers[address] += 1
            return True

    def is_only_full(self, address: str) -> bool:
        """Whether there is no place for this address only because others have all of them."""
        with self._lock:
            return self._inside[address] < self._limits.of_one_address

    def leave(self, address: str) -> None:
        """Give a place back, a stranger's first where the address has become known since."""
        with self._lock:
            for counted in (self._inside, self._strangers):
                counted[address] -= 1
                if counted[address] <= 0:
                    del counted[address]

    def _has_place(self, address: str) -> bool:
        return self._inside.total() < self._limits.places and self._inside[address] < self._limits.of_one_address

    def _has_place_for_stranger(self, address: str) -> bool:
        of_one = self._limits.of_strangers // 2
        return self._strangers.total() < self._limits.of_strangers and self._strangers[address] < of_one


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
