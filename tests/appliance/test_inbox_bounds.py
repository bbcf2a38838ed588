"""What one person copies stops nobody else, and takes neither the memory nor the disk of the appliance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from appliance.errors import ArchiveFull
from tests.appliance.hospital import Hospital, ct, hospitals
from tests.appliance.importing import allow, inbox_of, place
from tests.appliance.scanner import written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_mock import MockerFixture

    from appliance.inbox.inbox import Inbox


@pytest.fixture
def erode(tmp_path: Path) -> Iterator[Hospital]:
    with hospitals(tmp_path, "erode") as (hospital,):
        allow(hospital)
        yield hospital


@pytest.fixture
def inbox(erode: Hospital) -> Inbox:
    return inbox_of(erode)


def test_whose_files_find_no_room_does_not_stop_the_others(
    erode: Hospital, inbox: Inbox, mocker: MockerFixture
) -> None:
    """The one who comes first in the alphabet has the file that is too large."""
    (first,) = written(inbox.folder / "k.mani", *ct(count=1))
    (second,) = written(place(inbox), *ct(count=1))
    first.write_bytes(first.read_bytes() + bytes(1 << 20))
    mocker.patch("appliance.keeping.spool.leave_room", side_effect=_room_for_small_ones)
    with pytest.raises(ArchiveFull):
        inbox.step()
    assert first.exists()
    assert not second.exists()
    assert len(erode.kept()) == 1


def _room_for_small_ones(_folder: Path, size: int = 0) -> None:
    if size >= 1 << 20:
        raise OSError(28, "full")
