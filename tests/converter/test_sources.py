"""Where images come from: folders, patterns, archives, DICOMDIRs, standard input."""

from __future__ import annotations

import os
import random
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from cli.convert import convert as command
from converter.archive import content as archive_content
from converter.batch import convert
from converter.dicom import part10
from converter.errors import ConversionError
from converter.options import Options
from converter.results import Failure, Picture
from converter.sources import SourceFile, source_files
from converter.target import Target
from converter.workers import Workers
from tests.converter.building import ct, file, image
from tests.converter.running import lines, pngs, run, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mock import MockerFixture

# --- sources


def test_a_folder_with_bad_files_converts_the_rest_and_tells_each(folder: Path, tmp_path: Path) -> None:
    result = run(folder, "-o", tmp_path / "out", "--json")

    found = lines(result)
    assert result.exit_code == 5
    assert len(pngs(tmp_path / "out")) == 6
    assert sorted(line["result"] for line in found) == ["failure"] + ["picture"] * 6 + ["skipped"] * 2
    (failure,) = [line for line in found if line["result"] == "failure"]
    assert failure["source"].endswith("broken.dcm")
    assert (failure["frame"], failure["tag"]) == (1, "(7FE0,0010)")
    assert "48 bytes are needed, 38 are there" in failure["reason"]
    picture = next(line for line in found if line["result"] == "picture")
    promised = "source sop_instance_uid frame path window window_source bits milliseconds warnings"
    assert set(promised.split()) <= set(picture)
    assert picture["window"] == {"center": 1200, "width": 2400, "function": "LINEAR", "explanation": ""}
    assert Path(picture["path"]).exists()


def test_failures_in_words(folder: Path, tmp_path: Path) -> None:
    result = run(folder, "-o", tmp_path / "out")
    assert result.stdout == "6 pictures written, 2 skipped (1 no DICOM file, 1 no image), 1 failed\n"
    assert "broken.dcm: frame 1: (7FE0,0010): the pixel data ends early" in result.stderr


def test_a_run_that_was_stopped_goes_on(folder: Path, tmp_path: Path) -> None:
    run(folder, "-o", tmp_path / "out")
    gone = pngs(tmp_path / "out")[2]
    kept = pngs(tmp_path / "out")[3]
    gone.unlink()
    kept.write_bytes(b"as it was")

    found = lines(run(folder, "-o", tmp_path / "out", "--json"))

    assert [Path(line["path"]) for line in found if line["result"] == "picture"] == [gone]
    assert kept.read_bytes() == b"as it was"
    assert len(lines(run(folder, "-o", tmp_path / "out", "--json", "--replace"))) == 9
    assert kept.read_bytes() != b"as it was"


def test_patterns_and_single_files(folder: Path) -> None:
    pattern = [item.name for item in source_files([f"{folder}/**/[1-3].dcm"]) if isinstance(item, SourceFile)]
    assert [Path(name).name for name in pattern] == ["1.dcm", "2.dcm", "3.dcm"]
    (missing,) = source_files([str(folder / "nothing*.dcm")])
    assert isinstance(missing, Failure)
    assert "there is no such file or folder" in missing.reason


def test_standard_input(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["-", "-o", str(tmp_path)], input=ct(7))
    assert result.exit_code == 0
    assert len(pngs(tmp_path)) == 1


def test_a_zip(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "cd.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed_files:
        for path in sorted(folder.rglob("*.dcm")):
            packed_files.write(path, path.relative_to(folder))
        packed_files.writestr("../../outside.dcm", ct(50))
    result = run(archive, "-o", tmp_path / "out", "--json")
    assert len(pngs(tmp_path / "out")) == 7
    assert not (tmp_path.parent / "outside.dcm").exists()
    failed = [line["source"] for line in lines(result) if line["result"] == "failure"]
    assert failed == [f"{archive}!series/broken.dcm"]


def test_a_zip_bomb_is_refused_and_the_rest_converted(tmp_path: Path) -> None:
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed_files:
        packed_files.writestr("bomb.dcm", b"\0" * (80 << 20))
        packed_files.writestr("good.dcm", ct(1))
    results = list(convert([archive], Target(tmp_path / "out")))
    assert [type(result) for result in results] == [Failure, Picture]
    assert "unpacks to more than 64 MiB" in getattr(results[0], "reason", "")


def test_a_deflated_bomb_is_refused(tmp_path: Path) -> None:
    plain = file(image(b"\0" * (80 << 20), 10240, 4096), "1.2.840.10008.1.2.1.99")
    with pytest.raises(ConversionError, match="larger than 64 MiB once it is unpacked"):
        part10.read(plain)


def test_a_broken_zip_is_one_failure(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\3\4 no archive")
    (tmp_path / "b.dcm").write_bytes(ct(1))
    results = list(convert([tmp_path], Target(tmp_path / "out")))
    assert [type(result) for result in results] == [Failure, Picture]


METHODS = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA


def zipped(path: Path, *contents: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"IMG/{number:06d}", content)
    return path


def newer(archive: bytes) -> bytes:
    """Made by a version of ZIP that is not yet (APPNOTE 4.4.3)."""
    place = archive.index(b"PK\x01\x02") + 6
    return archive[:place] + b"\x63" + archive[place + 1 :]


def locked(archive: bytes) -> bytes:
    place = archive.index(b"PK\x01\x02") + 8
    return archive[:place] + b"\x01" + archive[place + 1 :]


def of_an_unknown_method(archive: bytes) -> bytes:
    place = archive.index(b"PK\x01\x02") + 10
    return archive[:place] + b"\x63" + archive[place + 1 :]


@pytest.mark.parametrize("harm", [newer, locked, of_an_unknown_method])
def test_an_archive_that_is_newer_or_locked_costs_only_itself(harm: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = zipped(tmp_path / "b.zip", ct(2))
    path.write_bytes(harm(path.read_bytes()))
    (tmp_path / "a.dcm").write_bytes(ct(1))
    result = run(tmp_path, "-o", tmp_path / "out", "--json")
    assert sorted(line["result"] for line in lines(result)) == ["failure", "picture"]
    (failure,) = [line for line in lines(result) if line["result"] == "failure"]
    assert failure["source"].startswith(str(path))
    assert "the ZIP " in failure["reason"]
    assert result.exit_code == 5


@pytest.mark.parametrize("method", METHODS)
def test_any_byte_of_an_archive_may_be_wrong(method: int, tmp_path: Path) -> None:
    whole = zipped(tmp_path / "whole.zip", ct(1), ct(2), method=method).read_bytes()
    place = random.Random(method)
    for number in range(150):
        broken = bytearray(whole)
        for _ in range(1 + number % 3):
            broken[place.randrange(len(broken))] = place.randrange(256)
        path = write(tmp_path / f"{number}.zip", bytes(broken))
        results = list(convert([path], Target(tmp_path / "out"), Options(replace=True)))
        assert not [found for found in results if "unexpected" in getattr(found, "reason", "")]


def test_an_archive_is_opened_once_for_all_its_members(tmp_path: Path, mocker: MockerFixture) -> None:
    path = zipped(tmp_path / "a.zip", *(ct(number) for number in range(20)))
    opened = mocker.spy(zipfile, "ZipFile")
    assert len(list(convert([path], Target(tmp_path / "out")))) == 20
    assert opened.call_count == 2


def test_another_archive_of_the_same_name_is_read_anew(tmp_path: Path) -> None:
    for number in (1, 2):
        path = zipped(tmp_path / "a.zip", ct(number))
        (found,) = convert([path], Target(tmp_path / "out"))
        assert isinstance(found, Picture)
        assert found.sop_instance_uid == f"1.2.3.4.{number}"


def test_two_members_of_one_name_are_told(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ct(1), ct(2))
    path.write_bytes(path.read_bytes().replace(b"IMG/000001", b"IMG/000000"))
    found, lost = sorted(convert([path], Target(tmp_path / "out")), key=lambda result: isinstance(result, Failure))
    assert isinstance(found, Picture)
    assert found.sop_instance_uid == "1.2.3.4.2"
    assert isinstance(lost, Failure)
    assert lost.source == f"{path}!IMG/000000"
    assert "only the last file of it is read" in lost.reason


def test_workers_do_not_share_an_archive(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", *(ct(number) for number in range(40)))
    assert archive_content(str(path), "IMG/000000") == ct(0)  # open in this process before the others are forked
    with Workers(2) as pool:
        results = list(convert([path], Target(tmp_path / "out"), executor=pool, workers=2))
    assert {type(result) for result in results} == {Picture}
    assert len(pngs(tmp_path / "out")) == 40


def test_a_link_to_itself_costs_only_itself(tmp_path: Path) -> None:
    place = tmp_path / "in"
    (place / "sub").mkdir(parents=True)
    for path in (place / "a.dcm", place / "z.dcm", place / "sub" / "s.dcm"):
        path.write_bytes(ct(ord(path.name[0])))
    (place / "m").symlink_to("m")
    (place / "gone").symlink_to("nothing")
    for source in (place, f"{place}/**"):
        results = list(convert([source], Target(tmp_path / "out"), Options(replace=True)))
        failures = [result for result in results if isinstance(result, Failure)]
        assert {Path(failure.source).name for failure in failures} <= {"m", "gone"}
        assert ("it cannot be read (Too many levels of symbolic links)", str(place / "m")) in {
            (failure.reason, failure.source) for failure in failures
        }
        assert len(pngs(tmp_path / "out")) == 3


def test_a_link_to_nothing_that_was_asked_for_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to("nothing")
    (found,) = source_files([tmp_path / "gone"])
    assert isinstance(found, Failure)
    assert found.reason == "it cannot be read (No such file or directory)"


def test_folders_may_lie_as_deep_as_a_path_is_long(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(700):
        deep /= "d"
        deep.mkdir()
    (deep / "a.dcm").write_bytes(ct(1))
    assert [type(result) for result in convert([tmp_path], Target(tmp_path / "out"))] == [Picture]


def test_a_dicomdir_gives_its_files_and_cannot_lead_outside(tmp_path: Path) -> None:
    from pydicom.data import get_testdata_file

    directory = Path(str(get_testdata_file("DICOMDIR", download=False)))
    found = [item for item in source_files([directory]) if isinstance(item, SourceFile)]
    assert len(found) == 31
    assert all(Path(item.path).is_file() for item in found)
    content = directory.read_bytes()
    (tmp_path / "DICOMDIR").write_bytes(content.replace(b"77654033\\CR1\\6154", b"..\\..\\../etc/pass"))
    *others, outside = sorted(source_files([tmp_path / "DICOMDIR"]), key=lambda item: isinstance(item, Failure))
    assert len(others) == 30
    assert isinstance(outside, Failure)
    assert "not below it" in outside.reason


def test_a_file_of_a_dicomdir_that_cannot_be_looked_at_costs_only_itself(tmp_path: Path) -> None:
    from pydicom.data import get_testdata_file

    content = Path(str(get_testdata_file("DICOMDIR", download=False))).read_bytes()
    (tmp_path / "DICOMDIR").write_bytes(content.replace(b"77654033\\CR1\\6154", b"77654033\\CR1\\6\x0054"))
    (tmp_path / "98892001").symlink_to("98892001")
    failures = [item.reason for item in source_files([tmp_path / "DICOMDIR"]) if isinstance(item, Failure)]
    assert len(list(source_files([tmp_path / "DICOMDIR"]))) == 31
    assert any("not below it" in reason for reason in failures)


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dcm")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "a.dcm").write_bytes(ct(1))
    results = list(convert([tmp_path], Target(tmp_path / "out")))
    assert [type(result) for result in results] == [Picture]
    (single,) = convert([tmp_path / "pipe.dcm"], Target(tmp_path / "out"))
    assert isinstance(single, Failure)
    assert single.reason == "this is no regular file"
