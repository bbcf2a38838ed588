"""How machines end: by their button, with the time that they need, or at once, and none is forgotten."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from emulator.drivers import qemu_machine, qmp
from emulator.drivers.driver import Guest, Hardware
from emulator.drivers.qemu import Machines
from tests.emulator import stand_in_qemu
from tests.emulator.qemu import needs_qemu
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = needs_qemu
SOON_S = qemu_machine.GRACE_S / 3


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    """They run a program in place of qemu, in a folder of their own."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / qemu_machine.PROGRAM
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {stand_in_qemu.__file__} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/sbin:/usr/bin:/sbin:/bin")
    monkeypatch.setenv("BUTTON_S", "never")
    made = Machines()
    yield made
    for vm_id in (7, 8):
        made.stop(vm_id, hard=True)
    made.stop_all()


@pytest.fixture
def guest(tmp_path: Path) -> Callable[[int], Guest]:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))

    def make(number: int) -> Guest:
        folder = tmp_path / str(number)
        (folder / "context").mkdir(parents=True, exist_ok=True)
        return Guest(number, "a", folder, f"127.20.0.{number + 1}", hardware=Hardware(system=image))

    return make


def running(machines: Machines, guest: Guest) -> Machines:
    machines.start(guest)
    until(lambda: not machines.is_starting(guest.vm_id))
    assert machines.failure(guest.vm_id) == ""
    assert machines.is_there(guest.vm_id)
    return machines


def has_shut_down(guest: Guest) -> bool:
    return (guest.folder / stand_in_qemu.MARK).exists()


def test_cloud_that_stops_lets_its_guests_shut_down(
    machines: Machines, guest: Callable[[int], Guest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUTTON_S", "2")
    for number in (7, 8):
        running(machines, guest(number))
    machines.stop_all()
    assert [has_shut_down(guest(number)) for number in (7, 8)] == [True, True]
    assert not machines.is_there(7)


def test_machine_on_a_busy_host_shuts_down_all_the_same(
    machines: Machines, guest: Callable[[int], Guest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """qemu takes the button later than it answers otherwise."""
    monkeypatch.setenv("LATE_S", str(qmp.ANSWER_S + 1))
    monkeypatch.setenv("BUTTON_S", "0.5")
    running(machines, guest(7))
    machines.stop(7, hard=False)
    assert machines.is_there(7)
    until(lambda: not machines.is_there(7), "the end")
    assert has_shut_down(guest(7))


def test_machine_that_nobody_can_ask_ends_at_once(machines: Machines, guest: Callable[[int], Guest]) -> None:
    running(machines, guest(7))
    (guest(7).folder / "qmp").unlink()
    machines.stop(7, hard=False)
    until(lambda: not machines.is_there(7), "the end", SOON_S)
    assert not has_shut_down(guest(7))


def test_cloud_that_stops_waits_for_no_guest_for_ever(
    machines: Machines, guest: Callable[[int], Guest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One does not shut down, one is about to start."""
    monkeypatch.setattr("emulator.drivers.qemu.STOP_ALL_GRACE_S", 0.3)
    stubborn = running(machines, guest(7))._machines[7].process
    machines.start(guest(8))
    machines.stop_all()
    assert stubborn is not None
    assert stubborn.returncode == -signal.SIGKILL
    assert not machines.is_there(8)
    assert not has_shut_down(guest(7))


def test_hard_stop_ends_also_the_machine_that_still_shuts_down(
    machines: Machines, guest: Callable[[int], Guest]
) -> None:
    """As long as that one is there the guest is: two machines would write to its disks; others start meanwhile."""
    old = running(machines, guest(7))._machines[7].process
    assert old is not None
    machines.stop(7, hard=False)
    machines.start(guest(7))
    running(machines, guest(8))
    assert machines.is_starting(7)
    machines.stop(7, hard=True)
    until(lambda: not machines.is_there(7), "the end", SOON_S)
    assert old.poll() == -signal.SIGKILL
    running(machines, guest(7))


def test_second_reboot_keeps_waiting_for_the_first_machine(machines: Machines, guest: Callable[[int], Guest]) -> None:
    old = running(machines, guest(7))._machines[7].process
    assert old is not None
    for _ in range(2):
        machines.stop(7, hard=False)
        machines.start(guest(7))
    machines.stop(7, hard=False)
    assert machines.is_there(7)
    assert old.poll() is None
    old.kill()
    until(lambda: not machines.is_there(7), "the end", SOON_S)
    assert machines.failure(7) == ""
