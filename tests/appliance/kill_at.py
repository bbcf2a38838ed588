"""Run the real command, and kill it with SIGKILL just before a durable step: `kill_at.py N -- appliance run ...`.

A durable step is a call of os.fsync, os.link, os.replace, os.rename, os.unlink or a COMMIT of SQLite, in the
service's own process. `--after FILE` counts from the moment when the file exists; `--log FILE` notes each step, so
that a first run (N = 0 kills never) tells how many there are and what they are.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

STEPS = ("fsync", "link", "replace", "rename", "unlink")


class Count:
    """Counts the durable steps, and kills at one of them."""

    def __init__(self, last: int, after: Path | None, log: Path | None) -> None:
        self.last, self.after = last, after
        self.log = log.open("a", buffering=1) if log else None
        self.number = 0
        self.lock = threading.Lock()

    def step(self, name: str, detail: object) -> None:
        with self.lock:
            if self.after and not self.after.exists():
                return
            self.number += 1
            if self.log:
                self.log.write(f"{self.number} {name} {detail}\n")
            if self.number == self.last:
                os.kill(os.getpid(), signal.SIGKILL)

    def before(self, name: str, function: Any) -> Any:
        def counted(*args: Any, **kwargs: Any) -> Any:
            first = args[0] if args else ""
            self.step(name, first if isinstance(first, int) else Path(str(first)).name)
            return function(*args, **kwargs)

        return counted


def patch(count: Count) -> None:
    from sqlalchemy.engine.default import DefaultDialect

    for name in STEPS:
        setattr(os, name, count.before(name, getattr(os, name)))
    DefaultDialect.do_commit = count.before("commit", DefaultDialect.do_commit)  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("number", type=int)
    parser.add_argument("--after", type=Path)
    parser.add_argument("--log", type=Path)
    options, command = parser.parse_known_args()
    patch(Count(options.number, options.after, options.log))
    sys.argv = ["gurney", *command[command.index("--") + 1 :]] if "--" in command else ["gurney", *command]

    from cli.main import run

    run()


if __name__ == "__main__":
    main()
