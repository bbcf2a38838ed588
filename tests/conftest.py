"""Ctrl-C is heard, a slow machine fails no example, and workers side by side begin with the longest files."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    import pytest


def pytest_configure() -> None:
    """A shell that starts us in the background has Ctrl-C ignored, and so would be whatever we start.

    A test that Hypothesis calls many times may take as long as it does: what is slow is only the machine.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files with most slow tests first: none is left at the end for one worker while the others have nothing to do."""
    if hasattr(config, "workerinput"):
        slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
        items.sort(key=lambda item: -slow[item.path])
