"""The root disk is replaced: a new one opens by itself once it answers, and the old one can come back to its index."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.provision.upgrade.standin import MIGRATION, OLD, SCHEMA, SITE, StandIn, in_service, metadata, program_wheel
from tests.provision.upgrade.test_cut_off import NAMES, PATIENT, change_index, stage
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NEW = "0.4.0"
SILENT = "\n\ndef _start(*arguments, closed=False):\n    threading.Event().wait()\n"
BOOT = (
    "import sys; from pathlib import Path; from appliance.boot.machine import Machine; "
    "from appliance.boot.programs import choose_program; choose_program(Machine(Path(sys.argv[1])))"
)


class Disks:
    """The root disks of one machine: the archive's disk stays."""

    def __init__(self, guest: StandIn) -> None:
        self.guest = guest
        self.home = guest.root / "opt/gurney"
        self.put_in(OLD)

    def make(self, version: str, changed: Mapping[str, str], appended: str = "") -> None:
        """Another image, of another version."""
        site = self.home / version / SITE
        shutil.copytree(self.home / OLD, self.home / version, symlinks=True)
        (site / f"gurney-{OLD}.dist-info").rename(site / f"gurney-{version}.dist-info")
        (site / f"gurney-{version}.dist-info/METADATA").write_text(metadata(version))
        for name, text in changed.items():
            (site / name).write_text(text)
        with (site / "appliance/service.py").open("a") as service:
            service.write(appended)

    def put_in(self, version: str) -> None:
        """This disk is in the machine, which is off; it has never been booted."""
        (self.home / "current").unlink()
        (self.home / "current").symlink_to(version)
        (self.guest.root / "etc").mkdir(exist_ok=True)
        (self.guest.root / "etc/machine-id").write_text(uuid.uuid4().hex)

    def boot(self) -> str:
        """The boot, and then the service; what was said."""
        command = [self.guest.python, "-I", "-c", BOOT, str(self.guest.root)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        self.guest.systemctl("start")
        return said


@pytest.fixture
def disks(guest: StandIn) -> Disks:
    change_index(guest, PATIENT)
    return Disks(guest)


def prepare(guest: StandIn) -> None:
    assert guest.upgrade("prepare") == (0, [{"prepared": True}])
    assert guest.health() is None


def test_new_disk_opens_once_it_answers(guest: StandIn, disks: Disks) -> None:
    disks.make(NEW, MIGRATION)
    prepare(guest)
    disks.put_in(NEW)
    assert "stays closed" in disks.boot()
    until(lambda: guest.health() is not None)
    assert guest.health()["closed"]  # type: ignore[index]
    assert guest.upgrade("settle")[0] == 1
    assert guest.upgrade("judge") == (0, [{"opened": True}])
    assert guest.health()["closed"] is False  # type: ignore[index]
    assert (guest.schema, guest.rows(NAMES)) == ("9001", [("changed by the migration",)])
    assert guest.upgrade("judge") == (0, [{"opened": False}])


@pytest.mark.parametrize("changed", [{}, MIGRATION], ids=["same index", "new index"])
@pytest.mark.parametrize("installed", [False, True], ids=["the image's own", "a version installed over it"])
def test_old_disk_comes_back_to_the_version_and_the_index_that_it_knows(
    guest: StandIn, disks: Disks, tmp_path: Path, installed: bool, changed: dict[str, str]
) -> None:
    if installed:
        assert guest.upgrade("install", str(stage(guest, program_wheel(tmp_path, "0.2.0"))))[0] == 0
    disks.make(NEW, changed, SILENT)
    prepare(guest)
    disks.put_in(NEW)
    disks.boot()
    assert guest.version == OLD, "the image's own, whatever it is called"
    until(lambda: guest.schema == ("9001" if changed else SCHEMA))
    code, told = guest.upgrade("--patience", "5", "judge")
    assert (code, "does not answer" in told[-1]["error"]) == (1, True)
    guest.systemctl("stop")
    disks.put_in(OLD)
    disks.boot()
    assert guest.upgrade("judge") == (0, [{"opened": True}]), guest.log()
    assert in_service(guest, "0.2.0" if installed else OLD)
    assert (guest.schema, guest.rows(NAMES)) == (SCHEMA, [("Mani",)])


def test_replacement_that_never_happens_is_undone(guest: StandIn, disks: Disks) -> None:
    prepare(guest)
    assert json.loads((guest.programs / "upgrade.json").read_text())["schema"] == SCHEMA
    assert guest.upgrade("settle") == (0, [{"step": "roll back"}, {"settled": True}])
    until(lambda: in_service(guest, OLD))
    prepare(guest)
    disks.boot()  # the power was cut, and it is the same disk
    assert guest.upgrade("judge") == (0, [{"opened": True}])
    assert in_service(guest, OLD)


def timed(guest: StandIn) -> list[str]:
    """What the newest timer of the machine will do."""
    told = guest.timer.read_text().splitlines()
    assert "--on-active=1800s" in told
    return told[told.index("--") + 1 :]


@pytest.mark.parametrize("set_by_s", [0, -86400, 86400], ids=["the clock goes", "it is set back", "it is set ahead"])
def test_machine_whose_desk_is_dead_takes_in_again_by_itself(guest: StandIn, disks: Disks, set_by_s: int) -> None:
    """By its own timer, which counts what has passed, and not by that of a replacement that was given up before."""
    prepare(guest)
    given_up = timed(guest)
    assert guest.upgrade("settle")[0] == 0
    prepare(guest)
    due, begun = timed(guest), time.time() - set_by_s
    os.utime(guest.programs / "upgrade.json", (begun, begun))
    subprocess.run(given_up, check=True)
    assert (guest.programs / "upgrade.json").exists(), "another replacement was begun meanwhile"
    subprocess.run(due, check=True)
    until(lambda: in_service(guest, OLD))
    subprocess.run(due, check=True)


def test_journal_of_a_later_image_is_understood(guest: StandIn, disks: Disks) -> None:
    prepare(guest)
    note = guest.programs / "upgrade.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "of_later": 1}))
    disks.boot()
    assert guest.upgrade("judge") == (0, [{"opened": True}])
    assert in_service(guest, OLD)
