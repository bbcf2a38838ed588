"""The demonstration with real machines, as a new user runs it: `gurney demo --vm`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.image.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.vm, pytest.mark.long, pytest.mark.slow, pytest.mark.timeout(3600)]

PICTURES = {"erode": 32, "salem": 32, "karur": 0}


@pytest.fixture(scope="module")
def demo(appliance_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the demonstration tells of itself, while it stays up; nothing of it runs afterwards."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "cli", "demo", "--json", "--vm", str(appliance_image)]
    with (folder / "progress").open("w") as progress:
        process = subprocess.Popen(
            [*command, "--keep", str(folder / "kept")], stdout=subprocess.PIPE, stderr=progress, text=True
        )
    try:
        yield told_by(process, folder / "progress") | {"progress": (folder / "progress").read_text()}
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
    assert process.returncode == 0, (folder / "progress").read_text()
    assert machines_of(folder) == []


def told_by(process: subprocess.Popen[str], progress: Path) -> dict[str, Any]:
    """The JSON object that it prints once the road is walked."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line == "}\n":
            return dict(json.loads(text))
    pytest.fail(progress.read_text())


def machines_of(folder: Path) -> list[str]:
    """The command lines of the processes of qemu that speak of a folder."""
    listed = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout.splitlines()
    return [line for line in listed if str(folder) in line and "qemu" in line]


def test_three_machines_walk_the_whole_road(demo: dict[str, Any]) -> None:
    assert demo["plan_after_apply"] == []
    assert demo["referral"]["sent"] == demo["referral"]["arrived"] == 3
    assert {name: branch["pictures"] for name, branch in demo["branches"].items()} == PICTURES
    for name, branch in demo["branches"].items():
        assert len(list(Path(branch["folder"]).rglob("*.png"))) == PICTURES[name]


def test_each_stretch_and_each_minute_of_it_was_told(demo: dict[str, Any]) -> None:
    assert "\nWaiting until every appliance is enrolled and answers …\n" in demo["progress"]
    assert "✓ Referring the patient from erode to salem\n" in demo["progress"]


@pytest.mark.parametrize("name", PICTURES)
def test_share_that_was_named_holds_the_pictures(demo: dict[str, Any], name: str) -> None:
    """For a person of the branch, by the login that the demonstration has made."""
    told = demo["branches"][name]
    share, login = urlsplit(told["shared_folder"]), told["logins"][0]
    where = [f"//{share.hostname}{share.path}", "-p", str(share.port or 445), "-m", "SMB3"]
    who = ["-U", f"{login['login']}%{login['password']}"]
    command = ["smbclient", *where, *who, "-c", "recurse; ls"]

    def listed() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)

    until(lambda: listed().returncode == 0, "the shared folder")
    assert listed().stdout.count(".png") == PICTURES[name]
