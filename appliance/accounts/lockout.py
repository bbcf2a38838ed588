"""How long a login or an address has to wait after wrong passwords."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Patience:
    """How many failures are free, and up to how many seconds each further one doubles the wait."""

    free: int
    longest_s: float

    def wait_s(self, failures: float) -> float:
        """Seconds to wait after so many failures; one that is forgiven in part counts whole."""
        over = ceil(failures) - self.free
        return 0.0 if over <= 0 else min(2.0 ** min(over, 30), self.longest_s)


#: A login waits a minute at most: whoever knows a doctor's login must not be able to keep the doctor out for long.
#: An address waits up to five minutes: it may be a ward's only PC, so more failures are free.
PATIENCE = {"login": Patience(free=5, longest_s=60), "address": Patience(free=20, longest_s=300)}
#: One failure is forgiven in so long, that of a ward that mistypes all day; all of them after an hour without any.
FORGIVEN_S = 180.0
FORGOTTEN_AFTER_S = 3600.0
REMEMBERED = 10_000
#: How long an attempt waits for others that are under way: looking at a password takes a tenth of a second, and nearly
#: one on a busy machine.
UNDER_WAY_S = 30.0


@dataclass(frozen=True)
class Failures:
    """What is known of one login or address: how many failures were not forgiven when the last one came, and when."""

    count: float = 0
    last: float = float("-inf")

    def left(self, now: float) -> float:
        """How many are not forgiven yet."""
        since = now - self.last
        return 0 if since > FORGOTTEN_AFTER_S else max(0, self.count - since / FORGIVEN_S)


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
            now = self._clock()
            self._known[key] = Failures(self._known.pop(key, Failures()).left(now) + 1, now)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _wait_s(self, key: tuple[str, str], more: int = 0) -> float:
        """How long this one waits; how long it would, if so many more failed now."""
        known, now, patience = self._known.get(key, Failures()), self._clock(), PATIENCE[key[0]]
        left = known.left(now)
        if left == 0:
            self._known.pop(key, None)
        return patience.wait_s(left + more) if more else max(0.0, patience.wait_s(known.count) - (now - known.last))


def _keys(login: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("login", login), ("address", address)
