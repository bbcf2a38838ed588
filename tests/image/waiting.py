"""Waiting for a machine: generous, since one without KVM on a busy host is slow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 900
PAUSE_S = 0.5


def until(reached: Callable[[], object], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Wait until something is so; what is not so in time fails the test."""
    end = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < end, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(PAUSE_S)
