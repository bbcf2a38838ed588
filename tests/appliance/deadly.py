"""Drawing processes in which some files end the process, meet a fault or a full disk, take long or stand still."""

from __future__ import annotations

import errno
import os
import signal
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from appliance.pictures import drawing
from appliance.pictures.drawn import Drawing
from appliance.pictures.processes import Processes, draw
from tests.waiting import until

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path


def draw_or_die(deadly: str, faulty: str, source: Path, folder: Path, stem: str) -> Drawing:
    if source.name == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    with patch.object(drawing, "draw", faulty_draw if source.name == faulty else drawing.draw):
        return draw(source, folder, stem)


class FaultInLibrary(Exception):
    """As numpy's AxisError: who has not the library cannot make one, and this one nobody can."""

    def __init__(self, axis: int, dimensions: int) -> None:
        super().__init__(f"axis {axis} is out of bounds for {dimensions}")


def faulty_draw(*_: Any) -> Drawing:
    raise FaultInLibrary(3, 2)


class DeadlyProcesses(Processes):
    def __init__(self, deadly: Path, faulty: Path) -> None:
        super().__init__(2)
        self.names = deadly.name, faulty.name

    def submit(self, fn: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        assert fn is draw
        return super().submit(draw_or_die, *self.names, *arguments, **options)


def draw_late(gate: Path, slow: str, source: Path, folder: Path, stem: str) -> Drawing:
    if source.name == slow:
        until(gate.exists)
    elif not gate.exists():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return draw(source, folder, stem)


class LateProcesses(Processes):
    """One file takes until there is a gate, and for all others the disk is full until then."""

    def __init__(self, gate: Path, slow: Path, begun: list[str]) -> None:
        super().__init__(2)
        self.given, self.begun = (gate, slow.name), begun

    def submit(self, fn: Any, source: Path, /, *arguments: Any, **options: Any) -> Future[Any]:
        assert fn is draw
        self.begun.append(source.name)
        return super().submit(draw_late, *self.given, source, *arguments, **options)


def stand_still(*_: Any) -> Drawing:
    return Drawing(reason="still", stood_still=True)


class StillProcesses(Processes):
    """Some files stand still, so many times each."""

    def __init__(self, times: dict[Path, int], begun: list[str]) -> None:
        super().__init__(1)
        self.times, self.begun = times, begun

    def submit(self, fn: Any, source: Path, /, *arguments: Any, **options: Any) -> Future[Any]:
        self.begun.append(source.name)
        left = self.times[source] = self.times[source] - 1
        return super().submit(fn if left < 0 else stand_still, source, *arguments, **options)
