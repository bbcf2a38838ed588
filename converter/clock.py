"""A limit on the time that one file may take, for a process whose main thread works on it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType

#: So much longer than it may work may a file take on the clock: a disk that stands still, or a host that has no time
#: for this machine, is not the file's fault.
PATIENCE = 30
#: Behind the alarm by which Python code is stopped, the one that ends the process.
_BEHIND = 1.2


class TooSlow(BaseException):
    """A file took more processor time than it may, which its words are.

    It is not an `Exception`, so that no decoder's wrapper takes it for its own.
    """


class StoodStill(BaseException):
    """A file took much longer than that on the clock, and was not worked on: the disk's fault, or the machine's."""


class Clock:
    """Raises `TooSlow` in the block once the time is over, and `StoodStill` where nothing happens for long.

    Python code is stopped by an alarm. A decoder that hangs in C cannot be, so a second alarm behind it ends the
    process; whoever started it finds the file by trying again singly.

    Parameters
    ----------
    seconds : float
        Processor time until the alarm, and between two restarts.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> Self:
        signal.signal(signal.SIGPROF, self._too_slow)
        signal.signal(signal.SIGALRM, self._stood_still)
        signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
        self.restart()
        return self

    def restart(self) -> None:
        """Begin the time anew, as after each picture."""
        signal.setitimer(signal.ITIMER_PROF, self.seconds)
        signal.setitimer(signal.ITIMER_VIRTUAL, self.seconds * _BEHIND)
        signal.setitimer(signal.ITIMER_REAL, self.seconds * PATIENCE)

    def __exit__(self, *_: object) -> None:
        for timer in (signal.ITIMER_PROF, signal.ITIMER_VIRTUAL, signal.ITIMER_REAL):
            signal.setitimer(timer, 0)

    def _too_slow(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        raise TooSlow(f"{self.seconds:g} s of processor time")

    def _stood_still(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        raise StoodStill(f"{self.seconds * PATIENCE:g} s")
