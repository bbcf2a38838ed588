"""What a machine needs beside its service: a clock that was set, and a restart after updates of its system."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from appliance.boot.machine import Machine
from appliance.boot.outdated import outdated, tell
from appliance.upkeep import Upkeep, upkeep
from provision.image.layout import values_for
from templates.files import guest_files
from tests.image.test_build_parts import SOURCES
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One whose processes are those of this machine."""
    (tmp_path / "proc").symlink_to("/proc")
    return Machine(tmp_path)


@pytest.fixture
def program(machine: Machine) -> Iterator[Path]:
    """A program of the machine, while it runs."""
    path = machine.path("/usr/bin/lingering")
    path.parent.mkdir(parents=True)
    shutil.copy("/bin/sleep", path)
    with subprocess.Popen([path, "600"]) as process:
        until(lambda: str(path) in machine.path(f"/proc/{process.pid}/maps").read_text(), "the program runs")
        yield path
        process.kill()


def test_a_program_is_outdated_once_its_code_is_replaced(
    machine: Machine, program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = machine.path("/run/gurney/restart-wanted")
    assert tell(machine) == []
    assert not upkeep(machine.root).restart_wanted
    new = program.with_name("lingering.dpkg-new")
    shutil.copy("/bin/sleep", new)
    new.replace(program)  # as dpkg does
    [name] = tell(machine)
    assert name == "lingering" or name.endswith(".service"), name
    assert mark.read_text() == f"{name}\n"
    assert upkeep(machine.root).restart_wanted
    assert f"updates take effect once the machine is started again: {name}" in capsys.readouterr().out
    tell(machine)
    assert capsys.readouterr().out == "", "said once"


def test_the_mark_goes_with_what_it_was_for(machine: Machine) -> None:
    mark = machine.run_folder() / "restart-wanted"
    mark.write_text("smbd.service\n")
    assert tell(machine) == []
    assert not mark.exists()


def test_a_kernel_waits_for_its_boot(machine: Machine) -> None:
    """Debian's hook after a kernel makes both files."""
    machine.run_folder()
    machine.path("/run/reboot-required").touch()
    assert upkeep(machine.root).restart_wanted
    machine.path("/run/reboot-required.pkgs").write_text("linux-image-6.1.0-41-amd64\nlinux-image-6.1.0-41-amd64\n")
    assert outdated(machine) == ["linux-image-6.1.0-41-amd64"]


def test_a_clock_is_set_once_timesyncd_says_so(machine: Machine) -> None:
    machine.run_folder()
    assert upkeep(machine.root).clock_set is False
    said = machine.path("/run/systemd/timesync/synchronized")
    said.parent.mkdir(parents=True)
    said.touch()
    assert upkeep(machine.root).clock_set is True


def test_somebody_s_own_machine_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "reboot-required").touch()
    assert upkeep(tmp_path) == Upkeep(clock_set=None, restart_wanted=False)


def test_updates_are_looked_at_after_each_round_also_one_that_failed() -> None:
    files = {str(path): text for path, text in guest_files(**values_for("1.2.3", SOURCES))}
    hook = files["etc/systemd/system/apt-daily-upgrade.service.d/gurney.conf"]
    assert {"OnSuccess=gurney-outdated.service", "OnFailure=gurney-outdated.service"} <= set(hook.splitlines())
    assert "-m appliance.boot.outdated" in files["etc/systemd/system/gurney-outdated.service"]
