"""The demonstration, as a new user runs it, and looked at from outside with other people's programs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
import pyone
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from cli.demo.branch import Branch, Login
from cli.demo.fetching import fetch_pictures
from tests.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator

GURNEY = (sys.executable, "-m", "cli")
BRANCHES = ("erode", "salem", "karur")
pytestmark = pytest.mark.slow


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*GURNEY, "demo", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def processes_naming(folder: Path) -> list[int]:
    """Processes whose command line or environment names a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(folder) in words:
                found.append(int(entry.name))
    return found


def report_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The JSON object that a demonstration prints while it stays up."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line == "}\n":
            return dict(json.loads(text))
    pytest.fail(f"no report: {process.communicate()[1]}")


def size_of(picture: Path) -> tuple[int, int]:
    """Columns and rows of a picture, as Pillow sees them."""
    with Image.open(picture) as image:
        image.load()
        return image.size


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    state = tmp_path_factory.mktemp("demo")
    process = started("--json", "--keep", str(state))
    try:
        yield report_of(process) | {"state": str(state)}
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert processes_naming(state) == []


def test_all_arrived_and_a_second_plan_is_empty(demo: dict[str, Any]) -> None:
    assert demo["plan_after_apply"] == []
    assert demo["referral"]["from"] == "erode"
    assert demo["referral"]["to"] == "salem"
    assert demo["referral"]["sent"] == demo["referral"]["arrived"] == 3
    assert demo["referral"]["could_not_open"] == ["karur"]
    assert {name: branch["pictures"] for name, branch in demo["branches"].items()} == {
        "erode": 32,
        "salem": 32,
        "karur": 0,
    }


def test_the_pictures_are_windowed_as_the_object_says(demo: dict[str, Any]) -> None:
    """The MR has a window (600, 1600): PS3.3 C.11.2.1.2.1, computed here, nearest integer."""
    source = pydicom.dcmread(str(get_testdata_file("MR_small.dcm", download=False)))
    stored = source.pixel_array.astype(float)
    centre, width = float(source.WindowCenter), float(source.WindowWidth)
    expected = ((stored - (centre - 0.5)) / (width - 1) + 0.5).clip(0, 1) * 255
    pictures = list(Path(demo["branches"]["salem"]["shared_folder"]).rglob("*.png"))
    matching = [path for path in pictures if size_of(path) == (64, 64)]
    assert len(matching) == 1
    with Image.open(matching[0]) as picture:
        seen = [picture.getpixel((x, y)) for y in range(64) for x in range(64)]
    assert max(abs(a - b) for a, b in zip(seen, expected.ravel(), strict=True)) <= 0.5 + 1e-6


def test_both_folders_hold_the_same_and_every_frame(demo: dict[str, Any]) -> None:
    folders = {name: Path(demo["branches"][name]["shared_folder"]) for name in BRANCHES}
    trees = {
        name: {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}
        for name, folder in folders.items()
    }
    assert trees["erode"] == trees["salem"]
    assert trees["karur"] == {}
    frames = [name for name in trees["erode"] if size_of(folders["erode"] / name) == (320, 240)]
    assert len(frames) == 30


@pytest.mark.parametrize("branch", BRANCHES)
def test_pictures_can_be_fetched_as_the_folder_holds_them(demo: dict[str, Any], branch: str, tmp_path: Path) -> None:
    """As is done where the disk is a machine's own; whoever has none gets an empty folder."""
    told = demo["branches"][branch]
    login = told["logins"][0]
    session = Branch(branch, told["http"]).session(Login(login["login"], login["password"], login["role"]))
    with contextlib.closing(session.client):
        fetch_pictures(session, tmp_path / branch)
    trees = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.png")}
        for folder in (tmp_path / branch, Path(told["folder"]))
    ]
    assert trees[0] == trees[1]
    assert (tmp_path / branch).is_dir()


@pytest.mark.parametrize("branch", BRANCHES)
def test_dcmtk_reaches_every_appliance(demo: dict[str, Any], branch: str) -> None:
    ae_title, _, place = demo["branches"][branch]["dicom"].partition("@")
    host, _, port = place.rpartition(":")
    subprocess.run(["echoscu", "-aec", ae_title, host, port], check=True, capture_output=True)


def test_a_stranger_to_opennebula_sees_what_was_made(demo: dict[str, Any]) -> None:
    """An unmodified pyone, with nothing of ours between it and the socket."""
    session = Path(demo["cloud"]["auth_file"]).read_text().strip()
    with pyone.OneServer(demo["cloud"]["endpoint"], session=session) as one:
        groups = {group.NAME for group in one.grouppool.info().GROUP}
        assert {"kongu.erode", "kongu.salem", "kongu.karur"} <= groups
        machines = {vm.NAME: vm for vm in one.vmpool.infoextended(-2, -1, -1, -1).VM}
        for branch in BRANCHES:
            vm = one.vm.info(machines[f"kongu.{branch}"].ID)
            assert (vm.STATE, vm.LCM_STATE) == (3, 3)
            assert vm.HISTORY_RECORDS.HISTORY[0].HOSTNAME
            assert vm.TEMPLATE["CONTEXT"]["GURNEY_BRANCH"] == branch


def test_nothing_in_the_exchange_names_a_patient(demo: dict[str, Any]) -> None:
    exchange = Path(demo["state"]) / "host" / "srv" / "exchange"
    seen = Path(demo["state"]) / "host" / "srv" / "seen-in-exchange"
    texts = [
        path.read_bytes() + os.fsencode(path) for root in (exchange, seen) for path in root.rglob("*") if path.is_file()
    ]
    assert texts
    for word in (b"Kumaran", b"Selvi", b"KONGU-0001"):
        assert not [text for text in texts if word in text]


def test_a_killed_appliance_comes_back(demo: dict[str, Any]) -> None:
    """What systemd does in a VM, the process driver does here: the service is started again, and knows its studies."""
    karur = demo["branches"]["karur"]
    address = karur["http"].removeprefix("http://").partition(":")[0]
    services = [
        pid
        for pid in processes_naming(Path(demo["state"]))
        if address.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(services[0], signal.SIGKILL)
    ae_title, _, place = karur["dicom"].partition("@")
    host, _, port = place.rpartition(":")
    asked = ["echoscu", "-aec", ae_title, host, port]
    until(lambda: subprocess.run(asked, capture_output=True).returncode == 0, "karur")


def test_exit_tears_down_at_once_with_the_users_own_files(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for name in ("CT_small.dcm", "examples_rgb_color.dcm"):
        (own / name).write_bytes(Path(str(get_testdata_file(name, download=False))).read_bytes())
    (own / "letter.txt").write_text("not DICOM")
    state = tmp_path / "state"
    process = started("--exit", "--json", "--keep", str(state), "--send", str(own))
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    report = json.loads(out)
    assert report["referral"]["sent"] == report["referral"]["arrived"] == 2
    assert report["branches"]["salem"]["pictures"] == 2
    assert processes_naming(state) == []


def catches(process: subprocess.Popen[str], number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal (proc(5), SigCgt)."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (number - 1) & 1)


@pytest.mark.parametrize("after_s", [0.5, 3.0, 8.0])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_no_process(tmp_path: Path, after_s: float, number: signal.Signals) -> None:
    process = started("--keep", str(tmp_path))
    until(lambda: catches(process, signal.SIGTERM))  # until then the interpreter itself is starting
    time.sleep(after_s)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode in ({0, 130} if "Stop with Ctrl-C" in out else {130}), err  # 130: as it was just said
    assert "Traceback" not in err
    assert processes_naming(tmp_path) == []


def test_killed_it_leaves_no_process_either(tmp_path: Path) -> None:
    process = started("--json", "--keep", str(tmp_path))
    report_of(process)
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    until(lambda: processes_naming(tmp_path) == [], "the end of every process")


def test_a_file_that_is_not_dicom_is_said_in_one_line(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("not DICOM")
    process = started("--exit", "--send", str(letter))
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 8
    assert err.strip().splitlines()[-1] == f"Error: {letter}: No DICOM file here"
