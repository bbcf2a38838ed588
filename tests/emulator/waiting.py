"""Waiting in tests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def until(what: Callable[[], object], within_s: float = 15.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.01)
