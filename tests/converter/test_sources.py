"""Where images come from: folders, patterns, archives, DICOMDIRs, standard input."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.convert import convert as command
from converter.batch import convert
from converter.dicom import part10
from converter.errors import ConversionError
from converter.results import Failure, Picture
from converter.sources import SourceFile, source_files
from converter.target import Target
from tests.converter.building import ct, file, image
from tests.converter.running import lines, pngs, run

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


def test_a_dicomdir_gives_its_files_and_cannot_lead_outside(tmp_path: Path) -> None:
    from pydicom.data import get_testdata_file

    directory = Path(str(get_testdata_file("DICOMDIR", download=False)))
    found = [item for item in source_files([directory]) if isinstance(item, SourceFile)]
    assert len(found) == 31
    assert all(Path(item.path).is_file() for item in found)
    content = directory.read_bytes()
    (tmp_path / "DICOMDIR").write_bytes(content.replace(b"77654033\\CR1\\6154", b"..\\..\\../etc/pass"))
    last = list(source_files([tmp_path / "DICOMDIR"]))[-1]
    assert isinstance(last, Failure)
    assert "not below it" in last.reason


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dcm")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "a.dcm").write_bytes(ct(1))
    results = list(convert([tmp_path], Target(tmp_path / "out")))
    assert [type(result) for result in results] == [Picture]
    (single,) = convert([tmp_path / "pipe.dcm"], Target(tmp_path / "out"))
    assert isinstance(single, Failure)
    assert single.reason == "this is no regular file"
