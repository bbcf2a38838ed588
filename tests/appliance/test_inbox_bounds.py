"""What one person copies stops nobody else, and takes neither the memory nor the disk of the appliance."""

from __future__ import annotations

import os
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session

from appliance.errors import ArchiveFull
from appliance.inbox import person
from appliance.inbox.folder import MOST_REPORTS, opened
from appliance.inbox.report import MOST_LISTED
from appliance.keeping.part10 import file_meta
from tests.appliance.hospital import Hospital, ct
from tests.appliance.importing import allow, inbox_of, left, place, reasons, report
from tests.appliance.scanner import written

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from appliance.inbox.inbox import Inbox


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


def test_zip_that_has_no_room_is_set_aside_before_a_byte_of_it_is_written(
    erode: Hospital, inbox: Inbox, mocker: MockerFixture
) -> None:
    """Where it waited nobody could take it away: the share is read-only then. A smaller one goes in."""
    mocker.patch("appliance.inbox.desk.inbox_margins", side_effect=lambda _folder, size: 2.0 - size / (1 << 20))
    (image,) = written(inbox.folder.parent / "cd", *ct(count=1))
    for name, filling in (("large.zip", 4 << 20), ("small.zip", 0)):
        with zipfile.ZipFile(place(inbox) / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(image, "IM1")
            archive.writestr("viewer", bytes(filling))
    inbox.step()
    assert [path.rpartition("/")[2] for path in left(inbox) if path.endswith(".zip")] == ["large.zip", "small.zip"]
    assert "large.zip\n    there is no room" in reasons(inbox)
    assert "small.zip\n    there is no room" not in reasons(inbox)
    assert len(erode.kept()) == 1


def _room_for_small_ones(_folder: Path, size: int = 0) -> None:
    if size >= 1 << 20:
        raise OSError(28, "full")


def dicomdir(first: int, count: int) -> bytes:
    """A DICOMDIR of so many records, each with a UID alone."""
    records = b"".join(_item(f"1.2.{number}".encode()) for number in range(first, first + count))
    sequence = struct.pack("<HH2sHI", 0x0004, 0x1220, b"SQ", 0, len(records)) + records
    return file_meta("1.2.840.10008.1.3.10", "1.2.3", "1.2.840.10008.1.2.1") + sequence


def _item(uid: bytes) -> bytes:
    padded = uid + bytes(len(uid) % 2)
    element = struct.pack("<HH2sH", 0x0004, 0x1511, b"UI", len(padded)) + padded
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(element)) + element


def test_lists_of_cds_that_name_too_much_are_not_remembered(
    erode: Hospital, inbox: Inbox, mocker: MockerFixture
) -> None:
    """One ZIP can hold as many DICOMDIRs as it likes: no more is read once they name too much."""
    each = MOST_LISTED // 2
    with zipfile.ZipFile(place(inbox) / "CDs.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"{number}/DICOMDIR", dicomdir(number * each, each))
    read = mocker.spy(person, "listed")
    inbox.step()
    assert read.call_count == 3
    assert "name more than 20000 images: nobody looked whether all came" in report(inbox)
    assert "MISSING" not in report(inbox)


def test_as_many_as_are_remembered_are_looked_for(erode: Hospital, inbox: Inbox, mocker: MockerFixture) -> None:
    """Some hundred of them at once: one question for each took minutes, in which nobody else's files were taken."""
    (place(inbox) / "DICOMDIR").write_bytes(dicomdir(0, MOST_LISTED))
    asked = mocker.spy(Session, "scalars")
    inbox.step()
    assert f"MISSING: {MOST_LISTED} images" in report(inbox)
    assert asked.call_count < MOST_LISTED // 100


def test_why_a_file_is_not_filed_is_said_once_where_a_client_has_taken_its_place(erode: Hospital, inbox: Inbox) -> None:
    """A plain file in the place of the import's folder below `not filed`: it is told once all the same."""
    with (place(inbox) / "busy").open("wb"):
        (place(inbox) / "first").write_bytes(b"no image")
        inbox.step()
        batch = next(path for path in (place(inbox) / "not filed").iterdir() if path.is_dir())
        batch.rename(batch.with_name("elsewhere"))
        batch.write_bytes(b"")
        with zipfile.ZipFile(place(inbox) / "Selvi.zip", "w") as archive:
            for number in range(30):
                archive.writestr(f"empty{number}", b"")
        inbox.step()
        inbox.step()
    assert reasons(inbox).count("empty29") == 1
    assert next(name for name in left(inbox) if name.endswith("Selvi.zip")).startswith(f"not filed/{batch.name} ")


def test_a_file_in_the_place_of_the_folder_of_what_is_not_filed(erode: Hospital, inbox: Inbox) -> None:
    (path,) = written(place(inbox), *ct(count=1))
    path.write_bytes(path.read_bytes()[:-1000])
    path.rename(path.with_name("not filed"))
    (place(inbox) / "viewer.exe").write_bytes(b"MZ")
    for _ in range(3):
        inbox.step()
    names = [name for name in left(inbox) if not name.endswith(".txt")]
    assert {name[-9:] for name in names} == {"not filed", "iewer.exe"}
    assert all(name.startswith("not filed/") for name in names)


def test_reasons_leave_room_for_logins(erode: Hospital, inbox: Inbox, mocker: MockerFixture) -> None:
    (place(inbox) / "viewer.exe").write_bytes(b"MZ")
    mocker.patch("appliance.inbox.folder.leave_room", side_effect=OSError(28, "full"))
    inbox.step()
    assert [name.rpartition("/")[2] for name in left(inbox)] == ["viewer.exe"]
    assert left(inbox)[0].startswith("not filed/")
    assert list(place(inbox).glob("report *")) == []


def test_a_file_that_took_the_place_of_a_refused_one_is_read(
    erode: Hospital, inbox: Inbox, tmp_path: Path, mocker: MockerFixture
) -> None:
    """What is set aside is what was judged."""
    (path,) = written(tmp_path / "new", *ct(count=1))
    name = place(inbox) / "IM1"
    name.write_bytes(b"no image")
    keep = person.Taking._keep

    def kept(self: person.Taking, *arguments: object) -> None:
        keep(self, *arguments)  # type: ignore[arg-type]
        path.rename(name)

    mocker.patch.object(person.Taking, "_keep", kept)
    inbox.step()
    mocker.stopall()
    assert left(inbox) == ["IM1"]
    inbox.step()
    assert len(erode.kept()) == 1
    assert left(inbox) == []


def test_no_more_files_and_folders_are_looked_at_than_there_may_be(tmp_path: Path, mocker: MockerFixture) -> None:
    """In one folder as well; and folders without a file do not hide the files in others for ever."""
    mocker.patch("appliance.inbox.folder.MOST", 10)
    for number in range(25):
        (tmp_path / f"IM{number}").write_bytes(b"x")
    with opened(tmp_path) as folder:
        assert len(folder.contents()[0]) == 10
        for path in tmp_path.iterdir():
            path.unlink()
        for number in range(25):
            (tmp_path / f"S{number}").mkdir()
            (tmp_path / f"S{number}" / "IM").write_bytes(b"x")
        listed = mocker.spy(folder, "_listed")
        found, _ = folder.contents()
    assert 1 <= len(found) <= 10
    assert listed.call_count <= 10


def test_a_file_that_is_named_like_a_report_is_taken(erode: Hospital, inbox: Inbox) -> None:
    (path,) = written(place(inbox), *ct(count=1))
    path.rename(path.with_name("report 1 dose.txt"))
    inside = place(inbox) / "report 2001-01-01 00.00.00.txt"
    (path,) = written(inside, *ct(count=1))
    inbox.step()
    inbox.step()
    assert len(erode.kept()) == 2
    assert not inside.exists()


def test_only_reports_go_when_there_are_many(tmp_path: Path) -> None:
    """Not a folder, nor a text of somebody else, that has the name of one."""
    for number in range(MOST_REPORTS + 3):
        path = tmp_path / f"report 2026-01-01 00.{number // 60:02}.{number % 60:02}.txt"
        path.write_text("Import of 2026", "utf-8-sig")
    folder, other, *_ = sorted(tmp_path.iterdir())
    folder.unlink()
    folder.mkdir()
    other.write_text("a letter")
    with opened(tmp_path) as persons:
        persons.tidy()
    assert folder.is_dir()
    assert other.exists()
    assert len(list(tmp_path.iterdir())) == MOST_REPORTS + 2


def test_what_was_not_filed_goes_however_deep_it_lies(erode: Hospital, inbox: Inbox, mocker: MockerFixture) -> None:
    """And what cannot go does not keep the next, nor anybody's images."""
    beside = place(inbox) / "not filed"
    for name in ("2026-01-01 00.00.00", "2026-01-02 00.00.00"):
        (beside / name).mkdir(parents=True)
    _deepen(beside / "2026-01-02 00.00.00", 1500)
    rmdir = os.rmdir

    def refusing(path: str, *, dir_fd: int | None = None) -> None:
        if path.endswith("2026-01-01 00.00.00"):
            raise OSError(5, "damaged")
        rmdir(path, dir_fd=dir_fd)

    mocker.patch("appliance.inbox.folder.os.rmdir", refusing)
    mocker.patch("appliance.inbox.inbox.inbox_margins", return_value=0.4)
    written(place(inbox), *ct(count=1))
    inbox.step()
    assert [path.name for path in beside.iterdir()] == ["2026-01-01 00.00.00"]
    assert len(erode.kept()) == 1


def test_what_a_dismissed_person_has_left_stays_while_the_disk_is_full(
    erode: Hospital, inbox: Inbox, mocker: MockerFixture
) -> None:
    """Files that were not filed go of those alone who may import."""
    older = place(inbox) / "not filed" / "2026-01-01 00.00.00"
    newer = inbox.folder / "k.mani" / "not filed" / "2026-01-02 00.00.00"
    for batch in (older, newer):
        batch.mkdir(parents=True)
        (batch / "viewer.exe").write_bytes(b"MZ")
    allow(erode, {"k.mani": "radiographer"})
    mocker.patch("appliance.inbox.inbox.inbox_margins", return_value=0.4)
    for _ in range(2):
        inbox.step()
    assert (older / "viewer.exe").exists()
    assert not newer.exists()


def _deepen(folder: Path, depth: int) -> None:
    at = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


def test_a_pause_of_a_client_keeps_its_folders_and_its_report(erode: Hospital, mocker: MockerFixture) -> None:
    """As where it asks its user whether to go on: then it copies into the folders that it has made."""
    clock = mocker.patch("appliance.inbox.settling.time.monotonic", return_value=0.0)
    inbox = inbox_of(erode, 10.0, 300.0)
    folder = place(inbox) / "CD" / "S1"
    folder.parent.mkdir()
    for begin in (0, 250):
        written(folder, *ct(count=1))
        for second in (begin, begin + 10, begin + 12, begin + 200):
            clock.return_value = float(second)
            inbox.step()
        assert folder.is_dir()
    assert len(erode.kept()) == 2
    assert "2 of 2 images arrived." in report(inbox)
    clock.return_value = 600.0
    inbox.step()
    assert not folder.parent.exists()
    assert len(list(place(inbox).glob("report *"))) == 1
