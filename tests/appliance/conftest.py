"""What tests of an appliance begin with: an archive that is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from appliance.keeping.archive import open_archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from appliance.keeping.archive import Archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = open_archive(tmp_path)
    yield opened
    opened.close()
