"""CPU time, wall time and peak memory of a command and all that it starts."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Cost:
    """What one run cost."""

    cpu_s: float
    wall_s: float
    peak_mib: float


def run(command: Sequence[str], *, check: bool = True) -> Cost:
    """Run a command to its end.

    Raises
    ------
    RuntimeError
        Where it fails.
    """
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment())
    assert process.stderr
    words = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if check and process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {words[-500:].decode(errors='replace')}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - began, usage.ru_maxrss / 1024)


def environment() -> dict[str, str]:
    """The environment of this process, with bytecode kept between runs as an installed program has it."""
    cache = Path(tempfile.gettempdir()) / "gurney-bench-bytecode"
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(cache)}


def each(commands: Sequence[Sequence[str]]) -> Cost:
    """Run commands one after another, as a shell loop does."""
    costs = [run(command) for command in commands]
    return Cost(sum(c.cpu_s for c in costs), sum(c.wall_s for c in costs), max(c.peak_mib for c in costs))


def medians(measure: Callable[[], Cost], times: int, before: Callable[[], object] = lambda: None) -> Cost:
    """The median of each figure over some runs."""
    costs = []
    for _ in range(times):
        before()
        costs.append(measure())
    return Cost(*(median(getattr(cost, name) for cost in costs) for name in ("cpu_s", "wall_s", "peak_mib")))


PYTHON = sys.executable
