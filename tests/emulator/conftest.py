"""Embedded clouds for the tests of the emulator."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pyone
import pytest

from emulator.cloud import Cloud
from emulator.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def make_cloud(tmp_path: Path) -> Iterator[Callable[..., Cloud]]:
    """Starts clouds without guests on free ports; stops them after the test."""
    with contextlib.ExitStack() as stack:

        def make(**settings: Any) -> Cloud:
            wanted = {"state": tmp_path / "cloud", "driver": "none", "port": 0, "password": "opennebula", **settings}
            return stack.enter_context(Cloud(Settings(**wanted)))

        yield make


@pytest.fixture
def cloud(make_cloud: Callable[..., Cloud]) -> Cloud:
    """A cloud without guests."""
    return make_cloud()


@pytest.fixture
def one(cloud: Cloud) -> Any:
    """pyone as oneadmin."""
    return pyone.OneServer(cloud.endpoint, session=cloud.session)
