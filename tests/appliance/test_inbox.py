"""Files that lie in the inbox: kept as if a modality had sent them and gone, or set aside with the reason."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom.data import get_testdata_file
from sqlalchemy import select

from appliance.errors import ArchiveFull
from appliance.index.models import Instance, Patient
from tests.appliance.hospital import Hospital, ct
from tests.appliance.importing import LOGIN, allow, entries, inbox_of, left, place, reasons, report, spooled
from tests.appliance.scanner import written

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from appliance.inbox.inbox import Inbox


def test_a_cd_s_images_are_kept_and_what_is_none_lies_beside(erode: Hospital, inbox: Inbox) -> None:
    cd = place(inbox) / "CD of Selvi"
    datasets = ct(count=3)
    (cd / "DICOM" / "S1").mkdir(parents=True)
    for number, path in enumerate(written(cd / "DICOM" / "S1", *datasets)):
        path.rename(path.with_name(f"IM{number}"))
    (cd / "viewer.exe").write_bytes(b"MZ" + bytes(5000))
    (cd / "DICOMDIR").write_bytes(Path(str(get_testdata_file("DICOMDIR"))).read_bytes())
    inbox.step()
    assert erode.kept() == sorted(dataset.SOPInstanceUID for dataset in datasets)
    told = report(inbox)
    assert "3 of 3 images arrived.\n" in told
    assert "2 files are no DICOM images" in told
    batch = next(path for path in (place(inbox) / "not filed").iterdir() if path.is_dir()).name
    assert left(inbox) == [
        f"not filed/{batch}.txt",
        f"not filed/{batch}/CD of Selvi/DICOMDIR",
        f"not filed/{batch}/CD of Selvi/viewer.exe",
    ]
    assert "viewer.exe\n    this is no DICOM file\n" in reasons(inbox)
    inbox.step()
    assert not cd.exists()
    assert spooled(erode) == []


def test_it_is_in_the_audit_log_who_imported_how_many(erode: Hospital, inbox: Inbox) -> None:
    datasets = ct(count=3)
    paths = written(place(inbox), *datasets)
    paths[2].write_bytes(paths[2].read_bytes()[:-1000])
    inbox.step()
    done, refused = entries(erode, "import"), entries(erode, "import-refused")
    assert [(each.who, each.subject, each.detail) for each in done] == [
        (LOGIN, datasets[0].StudyInstanceUID, '{"instances": 2, "peer": "inbox"}')
    ]
    assert [(each.who, each.detail) for each in refused] == [(LOGIN, '{"instances": 1, "peer": "inbox"}')]
    with erode.archive.index.session() as session:
        assert set(session.scalars(select(Instance.source))) == {f"inbox:{LOGIN}"}
        assert list(session.scalars(select(Patient.issuer))) == ["erode"]
    assert "2 of 3 images arrived" in report(inbox)
    assert "not a whole DICOM file: the file ends within the pixel data" in reasons(inbox)


def test_what_is_kept_already_is_gone_and_counted(erode: Hospital, inbox: Inbox) -> None:
    datasets = ct(count=2)
    erode.keep(datasets)
    written(place(inbox), *datasets)
    inbox.step()
    assert left(inbox) == []
    assert "2 of 2 images arrived.\n  2 kept before\n" in report(inbox)
    assert entries(erode, "import") == []


def test_another_image_under_a_uid_is_set_aside(erode: Hospital, inbox: Inbox) -> None:
    (dataset,) = ct(count=1)
    erode.keep([dataset])
    dataset.PixelData = bytes(len(dataset.PixelData))
    written(place(inbox), dataset)
    inbox.step()
    assert "0 of 1 images arrived" in report(inbox)
    assert "another image is kept under the same SOP Instance UID" in reasons(inbox)
    assert len(list(erode.archive.conflicts.iterdir())) == 1
    assert erode.serve().client().get("/health").json()["set_aside"] == 1


def test_what_a_file_is_called_is_told_with_its_joiners(erode: Hospital, inbox: Inbox) -> None:
    name = "മോഹന്\u200d रक्\u200dषा"
    (place(inbox) / f"{name}\u202e.jpg").write_bytes(b"\xff\xd8" + bytes(200))
    inbox.step()
    assert f"{name} .jpg\n    this is no DICOM file\n" in reasons(inbox)


def test_a_file_that_is_being_written_is_left_alone(erode: Hospital, inbox: Inbox) -> None:
    (path,) = written(place(inbox), *ct(count=1))
    with path.open("ab"):
        inbox.step()
        assert path.exists()
    inbox.step()
    assert not path.exists()
    assert len(erode.kept()) == 1


def test_files_wait_until_all_of_them_are_quiet(erode: Hospital, mocker: MockerFixture) -> None:
    clock = mocker.patch("appliance.inbox.settling.time.monotonic", return_value=0.0)
    inbox = inbox_of(erode, 10.0)
    (first,) = written(place(inbox), *ct(count=1))
    for second, kept in ((0, 0), (6, 0), (9, 0), (12, 0), (15, 0), (16, 2)):
        clock.return_value = float(second)
        if second == 6:
            written(place(inbox) / "more", *ct(count=1))
        inbox.step()
        assert len(erode.kept()) == kept, second
    assert not first.exists()
    assert "2 of 2 images arrived" in report(inbox)


def test_who_copies_without_an_end_does_not_wait_for_it(erode: Hospital, mocker: MockerFixture) -> None:
    clock = mocker.patch("appliance.inbox.settling.time.monotonic", return_value=0.0)
    inbox = inbox_of(erode, 10.0)
    written(place(inbox), *ct(count=1))
    for second in range(0, 301, 5):
        clock.return_value = float(second)
        (place(inbox) / f"late{second}").write_bytes(b"x")
        inbox.step()
        assert len(erode.kept()) == (second == 300)


def test_a_file_that_changes_while_it_is_read_is_not_lost(erode: Hospital, inbox: Inbox, mocker: MockerFixture) -> None:
    """Who opens it for writing has to wait for the lease; without one, the change is seen."""
    first, second = ct(count=1) + ct(count=1)
    (path,) = written(place(inbox), first)
    later = written(place(inbox) / "later", second)[0].read_bytes()
    (place(inbox) / "later" / "0000.dcm").unlink()
    mocker.patch("appliance.inbox.held.Held._lease", return_value=False)
    file = erode.archive.file

    def filed(*arguments: object, **named: object) -> object:
        path.write_bytes(later)
        return file(*arguments, **named)  # type: ignore[arg-type]

    mocker.patch.object(erode.archive, "file", filed)
    inbox.step()
    assert path.read_bytes() == later
    mocker.stopall()
    inbox.step()
    assert erode.kept() == sorted([first.SOPInstanceUID, second.SOPInstanceUID])
    assert left(inbox) == []


def test_a_copy_that_was_broken_off_after_its_length_was_said(erode: Hospital, inbox: Inbox) -> None:
    """As Windows leaves it: as long as the whole, with nothing in its second half."""
    (path,) = written(place(inbox), *ct(count=1))
    whole = path.stat().st_size
    os.truncate(path, 8192)
    os.truncate(path, whole)
    inbox.step()
    assert erode.kept() == []
    assert "the copy was broken off before its end" in reasons(inbox)


def test_what_a_file_begins_with_is_no_program_in_the_archive(erode: Hospital, inbox: Inbox) -> None:
    (dataset,) = ct(count=1)
    (path,) = written(place(inbox), dataset)
    path.write_bytes(b"MZ" + bytes([7]) * 126 + path.read_bytes()[128:])
    inbox.step()
    kept = erode.archive.path_of(dataset.SOPInstanceUID).read_bytes()
    assert kept[:132] == bytes(128) + b"DICM"
    assert dataset.PixelData in kept


def test_strange_entries(erode: Hospital, inbox: Inbox, tmp_path: Path) -> None:
    """Links, fifos, names of 255 bytes and in other encodings, deep folders: nothing leads out, and nothing stops."""
    (tmp_path / "secret").write_bytes(written(tmp_path / "s", *ct(count=1))[0].read_bytes())
    (place(inbox) / "link").symlink_to(tmp_path / "secret")
    (place(inbox) / "folder").symlink_to(tmp_path)
    os.mkfifo(place(inbox) / "fifo")
    deep = "/".join(["d" * 200] * 15)
    (place(inbox) / deep).mkdir(parents=True)
    datasets = ct(count=3)
    paths = written(tmp_path / "files", *datasets)
    names = ("n" * 255, os.fsdecode(b"\xff\xfe Selvi\n"), f"{deep}/IM")
    for path, name in zip(paths, names, strict=True):
        (place(inbox) / name).write_bytes(path.read_bytes())
    (place(inbox) / deep / ("x" * 255)).write_bytes(b"no image")
    inbox.step()
    assert erode.kept() == sorted(dataset.SOPInstanceUID for dataset in datasets)
    assert (tmp_path / "secret").is_file()
    assert "3 of 6 images arrived" in report(inbox)
    inbox.step()
    assert not (place(inbox) / ("d" * 200)).exists()
    assert [path for path in place(inbox).iterdir() if path.name != "not filed" and path.suffix != ".txt"] == []


def test_a_full_disk_loses_nothing(erode: Hospital, inbox: Inbox, mocker: MockerFixture) -> None:
    datasets = ct(count=3)
    paths = written(place(inbox), *datasets)
    full = mocker.patch("appliance.keeping.spool.leave_room", side_effect=[None] * 3 + [OSError(28, "full")] * 99)
    with pytest.raises(ArchiveFull):
        inbox.step()
    full.side_effect = None
    assert [path.exists() for path in paths].count(True) == 3 - len(erode.kept()) > 0
    assert "so far; the rest waits here: there is no room" in report(inbox)
    inbox.step()
    assert len(erode.kept()) == 3
    assert left(inbox) == []
    assert "3 of 3 images arrived.\n" in report(inbox)
    assert len(list(place(inbox).glob("report *"))) == 1


def test_a_kill_at_any_file_loses_nothing(erode: Hospital, inbox: Inbox, mocker: MockerFixture) -> None:
    """Between the archive and the removal from the inbox."""
    datasets = ct(count=2)
    written(place(inbox), *datasets)
    mocker.patch("appliance.inbox.held.Held.remove", side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        inbox.step()
    mocker.stopall()
    inbox_of(erode).step()
    assert erode.kept() == sorted(dataset.SOPInstanceUID for dataset in datasets)
    assert left(inbox) == []


def test_only_whoever_may_import_has_a_folder(erode: Hospital, inbox: Inbox) -> None:
    assert {path.name for path in inbox.folder.iterdir()} == {"r.devi", "k.mani"}
    (inbox.folder / "dr.anbu").mkdir()
    written(inbox.folder / "dr.anbu", *ct(count=1))
    inbox.step()
    assert erode.kept() == []


def test_what_is_not_allowed_any_more_is_not_read(erode: Hospital, inbox: Inbox) -> None:
    written(place(inbox), *ct(count=1))
    allow(erode, inbox=False)
    inbox.step()
    assert erode.kept() == []
    assert inbox.importers() == frozenset()
    allow(erode)
    inbox.step()
    assert len(erode.kept()) == 1


def test_a_disk_that_is_nearly_full_takes_no_more_copies(erode: Hospital, inbox: Inbox, mocker: MockerFixture) -> None:
    room = mocker.patch("appliance.inbox.inbox.inbox_margins", return_value=2.0)
    states = []
    for margins in (2.0, 0.9, 1.1, 1.3):
        room.return_value = margins
        states.append(inbox.is_open())
    assert states == [True, False, False, True]
    (place(inbox) / "viewer.exe").write_bytes(b"MZ")
    inbox.step()
    room.return_value = 0.4
    inbox.step()
    assert [name.rpartition(".")[2] for name in left(inbox)] == ["txt"]
    assert "These files were removed: the appliance's disk is nearly full." in reasons(inbox)


def test_the_log_names_no_file(erode: Hospital, inbox: Inbox, capsys: pytest.CaptureFixture[str]) -> None:
    written(place(inbox) / "Selvi", *ct(count=1))
    (place(inbox) / "Murugan.exe").write_bytes(b"MZ")
    inbox.step()
    told = "".join(capsys.readouterr())
    assert "Selvi" not in told
    assert "Murugan" not in told


def test_a_lease_holds_writers_off_for_whoever_owns_the_file(tmp_path: Path) -> None:
    """Without any privilege, as the service has none; a writer waits, and finds the file gone or as it was."""
    program = (
        "import os, sys; from appliance.inbox.held import held\n"
        "folder = os.open(sys.argv[1], os.O_RDONLY)\n"
        "os.geteuid() or (os.setgroups([]), os.setgid(65534), os.setuid(65534))\n"
        "with held(folder, 'IM') as file:\n"
        "    try:\n"
        "        os.open('IM', os.O_WRONLY | os.O_NONBLOCK, dir_fd=folder)\n"
        "    except BlockingIOError:\n"
        "        print('held')\n"
    )
    tmp_path.chmod(0o755)
    (tmp_path / "IM").write_bytes(b"x")
    if os.geteuid() == 0:
        os.chown(tmp_path / "IM", 65534, 65534)
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    assert done.stdout == "held\n", done.stderr


def test_images_that_a_cd_s_list_names_and_that_did_not_come(erode: Hospital, inbox: Inbox, tmp_path: Path) -> None:
    """The list is made by DCMTK; one of the images that it names was not copied."""
    datasets, cd = ct(count=3), tmp_path / "CD"
    cd.mkdir()
    for number, path in enumerate(written(cd / "DICOM", *datasets)):
        path.rename(path.with_name(f"IM{number}"))
    subprocess.run(["dcmmkdir", "--recurse", "--invent", "+id", ".", "DICOM"], cwd=cd, check=True, timeout=60)
    (cd / "DICOM" / "IM1").unlink()
    cd.rename(place(inbox) / "CD")
    inbox.step()
    told = report(inbox)
    assert "2 of 2 images arrived." in told
    assert "MISSING: 1 images that the CD's own list names did not come, or not whole:\n  DICOM/IM1\n" in told
    late = tmp_path / "late"
    late.mkdir()
    next(place(inbox).rglob("DICOMDIR")).rename(late / "DICOMDIR")
    written(late / "again", *datasets)
    late.rename(place(inbox) / "late")
    inbox.step()
    assert len(erode.kept()) == 3
    assert "MISSING" not in report(inbox)
