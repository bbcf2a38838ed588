"""A thread that takes the same step again and again until it is stopped; no error ends it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from appliance.errors import ApplianceError
from appliance.remarks import Remarks
from exchange.errors import ExchangeError

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger("appliance.loop")

LONGEST_PAUSE_S = 30.0
#: So often a pause doubles at most, which is more than enough: two to the number of failures is one day no float.
DOUBLED = 16


class Loop:
    """One task with its pace.

    Parameters
    ----------
    name
        For the thread and the log.
    step
        What is done; whatever it leaves undone it must find again by itself.
    pause_s
        Seconds between two steps; after an error the pause doubles, up to 30 s, until a step succeeds.
    """

    def __init__(self, name: str, step: Callable[[], None], pause_s: Callable[[], float]) -> None:
        self._name = name
        self._step = step
        self._pause_s = pause_s
        self._stopping = False
        self._wake = threading.Event()
        self._remarks = Remarks(log)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Take the next step now."""
        self._wake.set()

    def stop(self) -> None:
        """Ask the loop to end after the step that it is taking."""
        self._stopping = True
        self._wake.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the end."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        failures = 0
        while not self._stopping:
            failures = 0 if self._stepped() else failures + 1
            self._wake.wait(min(self._pause_s() * 2 ** min(failures, DOUBLED), LONGEST_PAUSE_S))
            self._wake.clear()

    def _stepped(self) -> bool:
        try:
            self._step()
        except (ApplianceError, ExchangeError, OSError) as error:
            self._remarks.say(self._name, str(error))
            return False
        except Exception:
            log.exception("a fault of the program; trying again", loop=self._name)
            return False
        self._remarks.say(self._name)
        return True
