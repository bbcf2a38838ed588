"""ZIPs in the inbox: unpacked, or set aside whole, whatever they are made to do."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests.appliance.hospital import Hospital, ct
from tests.appliance.importing import entries, inbox_of, left, place, reasons, report, spooled
from tests.appliance.scanner import written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mock import MockerFixture

    from appliance.inbox.inbox import Inbox


def test_a_zip_is_unpacked(erode: Hospital, inbox: Inbox, tmp_path: Path) -> None:
    paths = written(tmp_path / "files", *ct(count=3))
    with zipfile.ZipFile(place(inbox) / "Selvi.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, f"DICOM/../../../{path.stem}")
    inbox.step()
    assert len(erode.kept()) == 3
    assert left(inbox) == []
    assert "3 of 3 images arrived" in report(inbox)


def test_a_zip_with_something_else_in_it_stays_beside(erode: Hospital, inbox: Inbox, tmp_path: Path) -> None:
    (path,) = written(tmp_path / "files", *ct(count=1))
    with zipfile.ZipFile(place(inbox) / "Selvi.zip", "w") as archive:
        archive.write(path, "IM1")
        archive.writestr("viewer.exe", b"MZ" + bytes(200))
        archive.writestr("IM2", path.read_bytes()[:3000])
    inbox.step()
    assert len(erode.kept()) == 1
    assert "1 of 2 images arrived" in report(inbox)
    assert "Selvi.zip > viewer.exe\n    this is no DICOM file\nSelvi.zip > IM2\n    not a readable" in reasons(inbox)
    assert [name.rpartition("/")[2] for name in left(inbox)][1:] == ["Selvi.zip"]


def bomb(path: Path) -> None:
    """A ZIP of some 300 KiB that unpacks to 300 MiB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("IM1", "w") as member:
        for _ in range(300):
            member.write(bytes(1 << 20))


def overlapping(path: Path) -> None:
    """A ZIP whose list names the same bytes fifty times."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("IM1", bytes(100_000))
        archive.filelist.extend(archive.filelist * 49)
        archive._didModify = True  # type: ignore[attr-defined] # else it writes no list


def lying(path: Path) -> None:
    """A ZIP that is cut off."""
    overlapping(path)
    path.write_bytes(path.read_bytes()[:70_000])


def locked(path: Path) -> None:
    """A ZIP that says that it is locked with a password."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("IM1", b"x")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)


def by_bzip2(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("IM1", bytes(1000))


def with_a_long_list(path: Path) -> None:
    """A ZIP with so many members that their list takes 9 MiB."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("IM1", b"")
        archive.filelist.extend(archive.filelist * 190_000)
        archive._didModify = True  # type: ignore[attr-defined] # else it writes no list


ZIPS: dict[Callable[[Path], None], str] = {
    bomb: "unpacks to more than 64 MiB",
    overlapping: "lie over each other",
    lying: "cannot be read",
    locked: "locked with a password",
    by_bzip2: "packed in a way that is not read here",
    with_a_long_list: "list of members is longer than 8 MiB",
}


@pytest.mark.parametrize("made", ZIPS, ids=lambda made: made.__name__)
def test_a_zip_that_is_made_to_do_harm(made: Callable[[Path], None], erode: Hospital, inbox: Inbox) -> None:
    made(place(inbox) / "Selvi.zip")
    inbox.step()
    assert ZIPS[made] in reasons(inbox)
    assert erode.kept() == []
    assert spooled(erode) == []
    assert left(inbox)[-1].endswith("/Selvi.zip")


def test_a_deflated_bomb_is_refused(erode: Hospital, inbox: Inbox) -> None:
    (dataset,) = ct(count=1)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    (path,) = written(place(inbox), dataset)
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    with path.open("ab") as file:
        file.truncate(file.seek(0, os.SEEK_END) // 2)
        file.write(deflater.compress(bytes(1 << 20)) + deflater.flush())
    (place(inbox) / "huge").write_bytes(deflated(600))
    inbox.step()
    assert erode.kept() == []
    assert "larger than 512 MiB once it is inflated" in reasons(inbox)


def deflated(mib: int) -> bytes:
    """A deflated data set of so many MiB."""
    from appliance.keeping.part10 import file_meta

    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = b"".join(deflater.compress(bytes(1 << 20)) for _ in range(mib)) + deflater.flush()
    return file_meta("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1.99") + body


def test_a_service_that_stops_in_the_middle_of_a_zip_takes_it_again(
    erode: Hospital, inbox: Inbox, tmp_path: Path, mocker: MockerFixture
) -> None:
    with zipfile.ZipFile(place(inbox) / "Selvi.zip", "w") as archive:
        for path in written(tmp_path / "files", *ct(count=3)):
            archive.write(path, path.name)
    file = erode.archive.file

    def filed(*arguments: object, **named: object) -> object:
        inbox.stop()
        return file(*arguments, **named)  # type: ignore[arg-type]

    mocker.patch.object(erode.archive, "file", filed)
    inbox.step()
    assert len(erode.kept()) == 1
    mocker.stopall()
    inbox_of(erode).step()
    assert len(erode.kept()) == 3
    assert "3 of 3 images arrived.\n  2 new\n  1 kept before\n" in report(inbox)
    assert [each.detail for each in entries(erode, "import")] == [
        '{"instances": 1, "peer": "inbox"}',
        '{"instances": 2, "peer": "inbox"}',
    ]
