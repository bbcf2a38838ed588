"""A bar on the terminal while files are converted: how many, how fast, how long still."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from converter.results import Result

_QUICK_S = 0.5
_REDRAWN_S = 0.1


@dataclass
class _Seen:
    """Files that have given a result, and results."""

    files: set[str] = field(default_factory=set)
    pictures: int = 0

    def note(self, result: Result) -> None:
        self.files.add(result.source)
        self.pictures += 1


def watched(results: Iterator[Result], total: int, *, quiet: bool) -> Iterator[Result]:
    """The results, with a bar on a terminal once they have taken half a second.

    Parameters
    ----------
    total : int
        How many files there are.
    """
    if quiet or not sys.stderr.isatty():
        yield from results
        return
    seen, began = _Seen(), monotonic()
    for result in results:
        seen.note(result)
        yield result
        if monotonic() - began > _QUICK_S:
            yield from _with_bar(results, total, seen)


def _with_bar(results: Iterator[Result], total: int, seen: _Seen) -> Iterator[Result]:
    # Drawn when a result comes and not by a thread: worker processes are forked from this one.
    drawn = 0.0
    with _bar() as bar:
        task = bar.add_task("", total=total, completed=len(seen.files), rate="")
        for result in results:
            seen.note(result)
            if monotonic() - drawn > _REDRAWN_S:
                bar.update(task, completed=len(seen.files), rate=_rate(seen, bar.tasks[task].elapsed), refresh=True)
                drawn = monotonic()
            yield result
        bar.update(task, completed=total, rate=_rate(seen, bar.tasks[task].elapsed), refresh=True)


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = BarColumn(), MofNCompleteColumn(), TextColumn("files{task.fields[rate]}, left"), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True), auto_refresh=False, speed_estimate_period=10)


def _rate(seen: _Seen, elapsed_s: float | None) -> str:
    each = seen.pictures / (_QUICK_S + (elapsed_s or 0))
    return f", {seen.pictures} pictures, {each:.0f} a second"
