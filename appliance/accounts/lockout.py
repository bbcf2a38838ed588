"""How long a login or an address has to wait after wrong passwords."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Patience:
    """How many failures are free, and up to how many seconds each further one doubles the wait."""

    free: int
    longest_s: float

    def wait_s(self, failures: int) -> float:
        """Seconds to wait after so many failures."""
        over = failures - self.free
        return 0.0 if over <= 0 else min(2.0 ** min(over, 30), self.longest_s)


#: A login waits a minute at most: whoever knows a doctor's login must not be able to keep the doctor out for long.
#: An address waits up to a quarter of an hour: it may be a ward's only PC, so more failures are free.
PATIENCE = {"login": Patience(free=5, longest_s=60), "address": Patience(free=20, longest_s=900)}
FORGOTTEN_AFTER_S = 3600.0
REMEMBERED = 10_000


@dataclass(frozen=True)
class Failures:
    """What is known of one login or address."""

    count: int = 0
    last: float = float("-inf")


class Lockout:
    """Failures of logins and addresses, in memory and bounded: a flood makes it forget the oldest."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], Failures] = OrderedDict()
        self._lock = threading.Lock()

    def attempt(self, login: str, address: str) -> float:
        """Seconds until an attempt of this login from this address is looked at; at 0 it is, and counts as failed.

        Counted before the password is looked at, so that many attempts at once do not slip through together.
        """
        with self._lock:
            wait_s = max(self._wait_s(key) for key in _keys(login, address))
            if wait_s == 0:
                self._count(login, address)
            return wait_s

    def succeeded(self, login: str, address: str) -> None:
        """Forget the failures of a login and take this attempt back from its address, which keeps its earlier ones.

        Were they forgotten, one good login would free an address to try others again and again.
        """
        with self._lock:
            self._known.pop(("login", login), None)
            if (known := self._known.get(("address", address))) is not None:
                self._known["address", address] = replace(known, count=known.count - 1)

    def _count(self, login: str, address: str) -> None:
        for key in _keys(login, address):
            before = self._known.pop(key, Failures())
            self._known[key] = Failures(before.count + 1, self._clock())
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _wait_s(self, key: tuple[str, str]) -> float:
        known = self._known.get(key, Failures())
        since = self._clock() - known.last
        if since > FORGOTTEN_AFTER_S:
            self._known.pop(key, None)
            return 0.0
        return max(0.0, PATIENCE[key[0]].wait_s(known.count) - since)


def _keys(login: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("login", login), ("address", address)
