"""Waiting for what comes about: a condition, and never a length of time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: No machine is so busy that what takes a second takes this long.
PATIENCE_S = 120
PAUSE_S = 0.02


def until(holds: Callable[[], object], what: str = "it", timeout_s: float = PATIENCE_S) -> None:
    """Wait until something holds; what does not in time fails the test."""
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, f"{what} did not come about within {timeout_s:g} s"
        time.sleep(PAUSE_S)
