"""A limit on the time that one file may take, for a process whose main thread works on it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType


class TooSlow(BaseException):
    """A file took longer than it may; not an `Exception`, so that no decoder's wrapper takes it for its own."""


class Clock:
    """Raises `TooSlow` in the block once the time is over.

    Python code is stopped by an alarm. A decoder that hangs in C cannot be, so an alarm of processor time behind it
    ends the process; whoever started it finds the file by trying again singly.

    Parameters
    ----------
    seconds : float
        Time until the alarm, and between two restarts.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> Self:
        signal.signal(signal.SIGALRM, _too_slow)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        self.restart()
        return self

    def restart(self) -> None:
        """Begin the time anew, as after each picture."""
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        signal.setitimer(signal.ITIMER_PROF, self.seconds * 1.2)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _too_slow(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise TooSlow
