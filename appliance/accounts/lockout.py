"""How long a login or an address has to wait after wrong passwords."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass
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
#: How long an attempt waits for others that are under way: looking at a password takes a tenth of a second, and nearly
#: one on a busy machine.
UNDER_WAY_S = 30.0


@dataclass(frozen=True)
class Failures:
    """What is known of one login or address."""

    count: int = 0
    last: float = float("-inf")


class Lockout:
    """
    Failures of logins and addresses, in memory and bounded: a flood makes it forget the oldest.

    Attempts under way are no failures yet, but more than may fail are not looked at at once: the next one waits for how
    they end. So many wrong ones at once do not slip through together, and right ones at once all come in.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], Failures] = OrderedDict()
        self._under_way: Counter[tuple[str, str]] = Counter()
        self._changed = threading.Condition()

    def attempt(self, login: str, address: str) -> float:
        """Seconds until an attempt of this login from this address is looked at; at 0 it is, and `ended` follows."""
        keys = _keys(login, address)
        with self._changed:
            self._changed.wait_for(lambda: self._is_settled(keys), UNDER_WAY_S)
            wait_s = max(map(self._wait_s, keys)) or max(self._wait_s(key, self._under_way[key]) for key in keys)
            if wait_s == 0:
                self._under_way.update(keys)
            return wait_s

    def ended(self, login: str, address: str, *, well: bool) -> None:
        """
        An attempt has ended. A failure counts for both; a success frees the login from its failures.

        The address keeps its own: were they forgotten, one good login would free it to try others again and again.
        """
        keys = _keys(login, address)
        with self._changed:
            self._under_way.subtract(keys)
            self._under_way += Counter()
            if well:
                self._known.pop(keys[0], None)
            else:
                self._count(keys)
            self._changed.notify_all()

    def _is_settled(self, keys: tuple[tuple[str, str], ...]) -> bool:
        """Whether it is known how long to wait, however the attempts under way end."""
        return any(self._wait_s(key) for key in keys) or not any(self._wait_s(k, self._under_way[k]) for k in keys)

    def _count(self, keys: tuple[tuple[str, str], ...]) -> None:
        for key in keys:
            before = self._known.pop(key, Failures())
            self._known[key] = Failures(before.count + 1, self._clock())
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _wait_s(self, key: tuple[str, str], more: int = 0) -> float:
        """How long this one waits; how long it would, if so many more failed now."""
        known = self._known.get(key, Failures())
        since = self._clock() - known.last
        if since > FORGOTTEN_AFTER_S:
            self._known.pop(key, None)
            known = Failures()
        return max(0.0, PATIENCE[key[0]].wait_s(known.count + more) - (0.0 if more else since))


def _keys(login: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("login", login), ("address", address)
