"""What tests of an appliance begin with: an archive that is new, or a hospital whose staff may import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from appliance.keeping.archive import open_archive
from tests.appliance.hospital import Hospital, hospitals
from tests.appliance.importing import allow, inbox_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from appliance.inbox.inbox import Inbox
    from appliance.keeping.archive import Archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = open_archive(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def erode(tmp_path: Path) -> Iterator[Hospital]:
    """Erode, whose staff may import."""
    with hospitals(tmp_path, "erode") as (hospital,):
        allow(hospital)
        yield hospital


@pytest.fixture
def inbox(erode: Hospital) -> Inbox:
    """Its inbox."""
    return inbox_of(erode)
