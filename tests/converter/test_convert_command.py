"""`gurney convert`: what it refuses, what it makes, full disks, Dask."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pydicom.uid import (
    BasicTextSRStorage,
    CTImageStorage,
    RTPlanStorage,
    SegmentationStorage,
    TwelveLeadECGWaveformStorage,
)

from converter.batch import convert
from converter.results import Document, Skipped
from converter.target import Target
from converter.workers import Workers

if TYPE_CHECKING:
    from pathlib import Path
from tests.converter.building import ct, file, image
from tests.converter.running import COMMAND, lines, pngs, run, write

# --- what the command refuses


@pytest.mark.parametrize(
    "arguments",
    [
        ["--window", "40,0"],
        ["--window", "a,b"],
        ["--frames", "x"],
        ["--frames", "5-1"],
        ["--layout", "{nobody}"],
        ["--layout", "{patient_id"],
        ["--cine", "webp", "--bits", "16"],
        ["--sheet", "--window", "none"],
        ["--cine", "gif"],
        ["--cine", "apng", "--sheet"],
        ["--bits", "12"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(ct())
    assert run(tmp_path / "a.dcm", "-o", tmp_path / "out", *arguments).exit_code == 2


@pytest.mark.parametrize("uid", [CTImageStorage, SegmentationStorage])
def test_an_image_that_is_cut_off_before_its_pixels_is_damaged(uid: str, tmp_path: Path) -> None:
    """On the border of an element, where nothing of the file itself is broken."""
    write(tmp_path / "cut.dcm", file(image(b"", 4, 6, SOPClassUID=uid, FloatPixelData=None, PixelData=None)))
    result = run(tmp_path / "cut.dcm", "-o", tmp_path / "out", "--json")
    (line,) = lines(result)
    assert (result.exit_code, line["result"], line["tag"]) == (5, "failure", "(7FE0,0010)")
    assert line["source"].endswith("cut.dcm")
    assert "no pixel data" in line["reason"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"SOPClassUID": RTPlanStorage},
        {"SOPClassUID": BasicTextSRStorage, "Rows": None, "Columns": None},
        {"SOPClassUID": TwelveLeadECGWaveformStorage},
        {"SOPClassUID": CTImageStorage, "PixelDataProviderURL": "http://127.0.0.1/jpip"},
    ],
    ids=["plan", "report", "waveform", "pixels elsewhere"],
)
def test_what_holds_no_pixels_by_its_nature_is_no_failure(attributes: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / "a.dcm", file(image(b"", 4, 6, FloatPixelData=None, PixelData=None, **attributes)))
    assert run(tmp_path / "a.dcm", "-o", tmp_path / "out").exit_code == 0


def test_frames_sheet_and_cine_by_the_command(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(ct(1, frames=5))
    run(tmp_path / "a.dcm", "-o", tmp_path / "out", "--frames", "2-3,5", "--layout", "flat")
    assert [path.stem[-4:] for path in pngs(tmp_path / "out")] == ["0002", "0003", "0005"]
    assert run(tmp_path / "a.dcm", "-o", tmp_path / "out", "--frames", "9").exit_code == 5
    kinds = {"-sheet.png": ["--sheet"], "-cine.png": ["--cine", "apng"], "-cine.webp": ["--cine", "webp"]}
    for suffix, options in kinds.items():
        assert run(tmp_path / "a.dcm", "-o", tmp_path / "more", *options).exit_code == 0
        assert len(list((tmp_path / "more").rglob(f"*{suffix}"))) == 1


def test_a_disk_that_is_full_stops_the_run(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("converter.writing.write", full)
    with pytest.raises(OSError, match="No space left"):
        list(convert([folder], Target(tmp_path / "out")))
    with Workers(1) as pool, pytest.raises(OSError, match="No space left"):
        list(convert([folder], Target(tmp_path / "out"), executor=pool))


def test_files_written_are_limited_by_the_system_and_leave_nothing(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        try:
            list(convert([write(tmp_path / "a.dcm", b"")], Target(tmp_path / "out")))
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert pngs(tmp_path / "out") == []
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.slow
def test_a_dask_cluster_converts(folder: Path, tmp_path: Path) -> None:
    program = f"""
import sys
from distributed import LocalCluster
from cli.convert import convert
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        place = ["--scheduler", cluster.scheduler_address]
        convert([{str(folder)!r}, "-o", {str(tmp_path / "out")!r}, *place], standalone_mode=False)
"""
    script = tmp_path / "dask_script.py"
    script.write_text(program)
    found = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert "6 pictures written, 2 skipped (1 no DICOM file, 1 no image), 1 failed" in found.stdout, found.stderr
    assert len(pngs(tmp_path / "out")) == 6


def test_a_scheduler_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    path = write(tmp_path / "a.dcm", ct())
    arguments = [*COMMAND, str(path), "-o", str(tmp_path), "--scheduler", "tcp://127.0.0.1:1"]
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert "does not answer" in result.stderr


def test_documents_are_results_of_their_own(tmp_path: Path) -> None:
    from pydicom.data import get_testdata_file

    (found,) = convert([str(get_testdata_file("test-SR.dcm"))], Target(tmp_path))
    assert isinstance(found, Document)
    assert found.path.suffix == ".html"
    (again,) = convert([str(get_testdata_file("test-SR.dcm"))], Target(tmp_path))
    assert isinstance(again, Skipped)


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_names_that_are_no_text_do_not_end_the_run_and_can_be_had_back(encoding: str, tmp_path: Path) -> None:
    """A CD burnt under another code page: a name is bytes, and what shows it may know less."""
    place = os.fsencode(tmp_path) + b"/in"
    names = [place + b"/M\xfcller.dcm", place + b"/b\xfc.dcm", place + "/Müller.dcm".encode()]
    (tmp_path / "in").mkdir()
    for name, content in zip(names, [ct(1), ct(2)[:-9], ct(3)], strict=True):
        write(tmp_path / os.fsdecode(name), content)
    command = [sys.executable, "-m", "cli", "convert", place, "-o", str(tmp_path / "out")]
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "1"}
    told = subprocess.run([*command, "--json"], capture_output=True, env=environment, check=False)
    assert told.returncode == 5, told.stderr
    found = [json.loads(line) for line in told.stdout.decode("utf-8").splitlines()]
    assert {os.fsencode(line["source"]) for line in found} == set(names)
    assert sorted(line["result"] for line in found) == ["failure", "picture", "picture"]
    words = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert words.returncode == 5
    assert b"2 skipped (2 there already), 1 failed" in words.stdout
    assert b".dcm: frame 1: " in words.stderr
