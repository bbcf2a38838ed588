"""How the demonstration is told while it goes, on standard error."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from rich.markup import escape

from cli import console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from provision.planning.plan import Plan

MINUTE_S = 60.0


class Narrator:
    """Tells where on the road we are: a line for each stretch, and how it goes.

    On a terminal that is a live line; elsewhere a line when a stretch begins, and one for every minute that it takes.

    Parameters
    ----------
    minute_s
        How long a minute is.
    """

    def __init__(self, minute_s: float = MINUTE_S) -> None:
        self._console: Console = console.progress_console()
        self._status: Status = self._console.status("")
        self._stretch, self._words, self._begun = "", "", 0.0
        self._minute_s = minute_s
        self._over = threading.Event()
        self._clock = threading.Thread(target=self._tell_each_minute, name="narrator", daemon=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        else:
            self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.rest(walked=False)

    def begin(self, words: str) -> None:
        """Tick the stretch that was, and begin another."""
        self._tick()
        self._stretch, self._words, self._begun = words, "", time.monotonic()
        self._status.update(f"{escape(words)} …")
        if not self._console.is_terminal:
            self._console.print(f"{words} …", markup=False)

    def say(self, words: str) -> None:
        """Say how the present stretch goes."""
        self._words = words
        self._status.update(escape(f"{self._stretch}: {words}"))

    def rest(self, *, walked: bool = True) -> None:
        """The road is walked, or walked no further."""
        if walked:
            self._tick()
        self._stretch = ""
        self._status.stop()
        self._over.set()
        if self._clock.is_alive():
            self._clock.join()

    def plan(self, the_plan: Plan) -> None:
        """Show the plan, a line for each step."""
        self._tick()
        self._stretch = ""
        self._console.print(f"[bold]Plan: {len(the_plan)} steps[/]")
        for step in the_plan:
            self._console.print(f"  [green]+[/] {step.kind:<16} {step.name}", highlight=False)

    def _tick(self) -> None:
        if self._stretch:
            self._console.print(f"[green]✓[/] {escape(self._stretch)}")

    def _tell_each_minute(self) -> None:
        while not self._over.wait(self._minute_s):
            minutes = int((time.monotonic() - self._begun) / self._minute_s)
            if self._stretch and minutes:
                words = self._words or self._stretch
                self._console.print(f"  … {minutes} min: {words}", markup=False)
