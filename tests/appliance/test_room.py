"""The room that stays free on the archive's disk: for the index, and so for logins and the audit log."""

from __future__ import annotations

import errno
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from appliance.errors import ArchiveFull
from appliance.keeping.room import RESERVE_BYTES, leave_room
from tests.appliance.hospital import ct, hospitals
from tests.appliance.referring import refer, row
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

MIB = 2**20


def disk(mocker: MockerFixture, *, size_mib: int, free_mib: int) -> None:
    """A disk of this size."""
    found = SimpleNamespace(f_frsize=4096, f_blocks=size_mib * MIB // 4096, f_bavail=free_mib * MIB // 4096)
    mocker.patch("appliance.keeping.room.os.statvfs", return_value=found)


@pytest.mark.parametrize(("size_mib", "reserve_mib"), [(1_000_000, RESERVE_BYTES // MIB), (80, 10)])
def test_what_would_take_the_reserve_is_refused(
    mocker: MockerFixture, tmp_path: Path, size_mib: int, reserve_mib: int
) -> None:
    disk(mocker, size_mib=size_mib, free_mib=reserve_mib + 1)
    leave_room(tmp_path, MIB)
    with pytest.raises(OSError, match="kept for logins") as told:
        leave_room(tmp_path, MIB + 1)
    assert told.value.errno == errno.ENOSPC


def test_a_referral_waits_for_room_and_then_arrives(mocker: MockerFixture, tmp_path: Path) -> None:
    with hospitals(tmp_path, "erode", "salem") as (erode, salem):
        erode.keep(ct(count=2))
        asked = refer(erode, salem)
        erode.step()
        disk(mocker, size_mib=1000, free_mib=125)
        salem.step()
        assert salem.kept() == []
        assert list(salem.archive.spool.iterdir()) == []
        with pytest.raises(ArchiveFull):
            salem.keep(ct(count=1))
        mocker.stopall()

        def arrived() -> bool:
            salem.step()
            erode.step()
            return row(erode, asked).state == "arrived"

        until(arrived)
        assert salem.kept() == erode.kept()
