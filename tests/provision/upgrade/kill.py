"""Run the program of an image that upgrades, and kill it with SIGKILL just before one of its steps.

`python kill.py N LOG arguments...`: before the Nth, or before the first that has these words in it. A step is a file
that is flushed, renamed, linked or removed, or a program that is run; asking systemd is none.
"""

from __future__ import annotations

import os
import runpy
import shutil  # noqa: F401 - decides when it is imported how it removes trees
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

STEPS = ("fsync", "replace", "symlink", "unlink", "sync")


class Count:
    """Counts, and kills."""

    def __init__(self, last: str, log: Path) -> None:
        self.last, self.log, self.number = last, log, 0

    def step(self, name: str, *details: object) -> None:
        self.number += 1
        line = f"{self.number} {name} {' '.join(map(str, details))}"
        with self.log.open("a") as log:
            log.write(f"{line}\n")
        if self.last == str(self.number) or (not self.last.isdigit() and self.last in line):
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, name: str, function: Any) -> Any:
        def counted(*args: Any, **options: Any) -> Any:
            if "dir_fd" not in options:  # what rmtree does below the top
                self.step(name, *args)
            return function(*args, **options)

        return counted

    def before_run(self, function: Any) -> Any:
        def counted(command: Any, **options: Any) -> Any:
            if "show" not in command and "state" not in command:
                self.step("run", *command)
            return function(command, **options)

        return counted


if __name__ == "__main__":
    _, number, place, *arguments = sys.argv
    count = Count(number, Path(place))
    for each in STEPS:
        setattr(os, each, count.before(each, getattr(os, each)))
    subprocess.run = count.before_run(subprocess.run)
    sys.argv = ["appliance.upgrade", *arguments]
    runpy.run_module("appliance.upgrade", run_name="__main__", alter_sys=True)
