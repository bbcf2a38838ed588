"""Time as the cloud sees it: the machine's, or one that a test winds."""

from __future__ import annotations

import time


class Clock:
    """The machine's time."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def seconds(self) -> int:
        """Whole seconds since the epoch, as documents carry them."""
        return int(self.now())


class WoundClock(Clock):
    """Time that stands still until it is wound forward.

    Parameters
    ----------
    start
        Seconds since the epoch at which it stands.
    """

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def wind(self, until: float) -> None:
        """Go on to a later time."""
        self._now = max(self._now, until)
