"""Drawing processes in which some files end the process, or meet a fault of the program."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from appliance.pictures.drawing import Drawing, draw
from appliance.pictures.rendering import Processes

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path


def draw_or_die(deadly: str, faulty: str, source: Path, folder: Path, stem: str) -> Drawing:
    if source.name == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    if source.name == faulty:
        raise ZeroDivisionError
    return draw(source, folder, stem)


class DeadlyProcesses(Processes):
    def __init__(self, deadly: Path, faulty: Path) -> None:
        super().__init__(2)
        self.names = deadly.name, faulty.name

    def submit(self, fn: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        assert fn is draw
        return super().submit(draw_or_die, *self.names, *arguments, **options)
