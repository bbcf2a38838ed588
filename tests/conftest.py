"""Tests of one file run in one process, in their order, with Ctrl-C heard: what a module started is started once."""

from __future__ import annotations

import signal

import pytest


def pytest_configure() -> None:
    """A shell that starts us in the background has Ctrl-C ignored, and so would be whatever we start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
