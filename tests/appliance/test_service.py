"""The service as the embedded cloud runs it: started, sent to, stopped, and told what it cannot start with."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from appliance.pictures.rendering import PAUSE_S
from exchange.settings import Modality
from tests.appliance.community import Community
from tests.appliance.process import ApplianceProcess
from tests.appliance.scanner import ct_files, statuses, storescu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CT1 = Modality("CT1", "10.20.1.50")


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[ApplianceProcess]:
    process = ApplianceProcess(tmp_path / "erode", Community(tmp_path / "exchange"))
    yield process
    process.kill()


def test_a_study_becomes_pictures_in_the_shared_folder(appliance: ApplianceProcess) -> None:
    appliance.start().enrol(CT1)
    files = [get_testdata_file(name) for name in ("CT_small.dcm", "MR_small.dcm", "examples_ybr_color.dcm")]
    assert statuses(storescu(appliance.address, *files, options=("-xy", "-R"))) == ["Success"] * 3  # type: ignore[arg-type]
    appliance.wait_until_drawn()
    shared = appliance.archive / "shared"
    pictures = sorted(path.relative_to(shared) for path in shared.rglob("*.png"))
    frames = int(pydicom.dcmread(files[2]).NumberOfFrames)  # type: ignore[arg-type]
    assert len(pictures) == 2 + frames
    assert sorted(appliance.rows("SELECT path FROM rendition")) == sorted((str(path),) for path in pictures)
    assert any(path.parts[0].startswith("CompressedSamples CT1 (1CT1, erode)") for path in pictures)
    for path in pictures:
        with Image.open(shared / path) as picture:
            picture.load()
    assert {mode_and_size(shared, path) for path in pictures if "1CT1" in path.parts[0]} == {("L", (128, 128))}


def mode_and_size(shared: Path, path: Path) -> tuple[str, tuple[int, int]]:
    with Image.open(shared / path) as picture:
        return picture.mode, picture.size


def test_what_has_no_picture_says_why(appliance: ApplianceProcess) -> None:
    appliance.start().enrol(CT1)
    storescu(appliance.address, get_testdata_file("reportsi.dcm"), options=("-R",))  # type: ignore[arg-type]
    storescu(appliance.address, get_testdata_file("rtplan.dcm"), options=("-R",))  # type: ignore[arg-type]
    appliance.wait_until_drawn()
    assert {state for (state,) in appliance.rows("SELECT state FROM instance")} == {"none"}


def test_a_picture_is_there_soon_after_its_instance(appliance: ApplianceProcess, tmp_path: Path) -> None:
    """The quickest of five counts: each is sent just after another was drawn; who looks every ten seconds is late."""
    appliance.start().enrol(CT1)
    for number in range(5):
        storescu(appliance.address, *ct_files(tmp_path / str(number), 1))
        appliance.wait_until_drawn()
    assert len(waits_s(appliance)) == 5
    assert -0.01 < min(waits_s(appliance)) < PAUSE_S / 2  # a file system tells the time of its last tick


def waits_s(appliance: ApplianceProcess) -> list[float]:
    """From each instance's arrival, by the index, to its picture, by the shared folder."""
    rows = appliance.rows("SELECT arrived, path FROM rendition JOIN instance ON instance.id = instance_key")
    return [
        (appliance.archive / "shared" / path).stat().st_mtime - datetime.fromisoformat(f"{arrived}+00:00").timestamp()
        for arrived, path in rows
    ]


def test_it_stops_in_time_and_goes_on_afterwards(appliance: ApplianceProcess, tmp_path: Path) -> None:
    appliance.start().enrol(CT1)
    with socket.create_connection((appliance.address, 11112)):  # somebody who connected and says nothing
        files = ct_files(tmp_path / "ct", 40)
        storescu(appliance.address, *files)
        assert appliance.stop() < 20, "the unit's TimeoutStopSec"
    assert appliance.lines()[-1]["event"] == "stopped"
    appliance.start()
    appliance.wait_until_drawn()
    assert appliance.rows("SELECT state, count(*) FROM instance GROUP BY state") == [("done", 40)]


def test_nothing_of_a_patient_is_in_the_log(appliance: ApplianceProcess, tmp_path: Path) -> None:
    appliance.start().enrol(CT1)
    storescu(appliance.address, *ct_files(tmp_path / "ct", 2))
    storescu(appliance.address, *ct_files(tmp_path / "ct2", 1), caller="STRANGER")
    appliance.wait_until_drawn()
    appliance.stop()
    text = appliance.log.read_text()
    assert "Murugan" not in text
    assert "ER-4711" not in text
    assert all(json.loads(line) for line in text.splitlines())
    assert any(line["event"] == "caller refused" and line["caller"] == "STRANGER" for line in appliance.lines())


def test_a_second_service_on_the_archive_is_refused(appliance: ApplianceProcess) -> None:
    appliance.start()
    other = [*appliance.arguments[:-2], *appliance.arguments[-2:]]
    other[other.index("--address") + 1] = "127.0.0.1"
    said = command(*other)
    assert said.returncode == 6
    assert "another appliance service has this archive open" in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1


def occupied(port: int) -> Callable[[ApplianceProcess], socket.socket]:
    def occupy(appliance: ApplianceProcess) -> socket.socket:
        return socket.create_server((appliance.address, port))

    return occupy


def without_context(appliance: ApplianceProcess) -> None:
    (appliance.context / "context.sh").unlink()


def without_archive(appliance: ApplianceProcess) -> None:
    appliance.archive.rmdir()


def without_exchange(appliance: ApplianceProcess) -> None:
    appliance.community.root.rename(appliance.community.root.with_name("elsewhere"))


def with_a_foreign_index(appliance: ApplianceProcess) -> None:
    (appliance.archive / "index.sqlite").write_bytes(b"not a database" * 100)


def with_a_lost_index(appliance: ApplianceProcess) -> None:
    (appliance.archive / "instances" / "00").mkdir(parents=True)
    (appliance.archive / "instances" / "00" / f"{0:064}.dcm").touch()


def with_a_newer_index(appliance: ApplianceProcess) -> None:
    import sqlite3

    connection = sqlite3.connect(appliance.archive / "index.sqlite")
    connection.executescript("CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('9999')")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (occupied(11112), "DICOM cannot listen on"),
        (occupied(8080), "HTTP cannot listen on"),
        (without_context, "is the CONTEXT disc attached"),
        (without_archive, "is the archive's disk mounted"),
        (without_exchange, "MOUNT_TAG=exchange is not mounted"),
        (with_a_foreign_index, "not a usable index"),
        (with_a_lost_index, "lost or empty, while images lie in"),
        (with_a_newer_index, "written by a newer version"),
    ],
)
def test_what_it_cannot_start_with_is_said_in_one_line(
    appliance: ApplianceProcess, spoil: Callable[[ApplianceProcess], socket.socket | None], words: str
) -> None:
    held = spoil(appliance)
    said = command(*appliance.arguments)
    if held:
        held.close()
    assert said.returncode == 6
    told = [line for line in said.stderr.splitlines() if not line.startswith("{")]
    assert len(told) == 1
    assert words in told[0]


def test_check_says_who_it_is(appliance: ApplianceProcess) -> None:
    mounts = appliance.arguments[-2:]
    said = command("appliance", "check", "--context", str(appliance.context), *mounts, "--json")
    assert said.returncode == 0
    found = json.loads(said.stdout)
    assert (found["branch"], found["ae_title"], found["vm_id"]) == ("erode", "ERODE", 0)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "cli", *arguments], capture_output=True, text=True, timeout=60)
