"""A cloud that was stopped while something happened to its machines goes on with it, and each has its guest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyone
import pytest

from emulator.clock import WoundClock
from emulator.cloud import Cloud
from emulator.objects.vm_state import LCM
from emulator.settings import Pace, Settings
from tests.emulator.qemu import needs_qemu
from tests.emulator.test_guests import COMMAND
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUNNING, POWEROFF = (3, 3), (8, 0)
NETWORK = 'NAME="n"\nVN_MAD="bridge"\nBRIDGE="b"\nAR=[TYPE="IP4",IP="10.20.1.10",SIZE="9"]'
MACHINE = 'NAME="a"\nCPU="1"\nMEMORY="64"\nDISK=[IMAGE_ID="{}"]\nNIC=[NETWORK_ID="{}"]\nCONTEXT=[A="b"]'
CHANGES: dict[str, Callable[[Any, int], object]] = {
    "BOOT": lambda one, number: one.vm.recover(number, 4),
    "BOOT_POWEROFF": lambda one, number: one.vm.action("resume", number),
    "BOOT_UNKNOWN": lambda one, number: one.vm.action("resume", number),
    "HOTPLUG_NIC": lambda one, number: one.vm.attachnic(number, 'NIC=[NETWORK_ID="0"]'),
    "HOTPLUG_SNAPSHOT": lambda one, number: one.vm.snapshotcreate(number, "s"),
    "DISK_SNAPSHOT": lambda one, number: one.vm.disksnapshotcreate(number, 0, "s"),
}
BEFORE = {"BOOT_POWEROFF": POWEROFF, "BOOT_UNKNOWN": (3, LCM["UNKNOWN"])}


def settings(state: Path, driver: str) -> Settings:
    return Settings(state=state, driver=driver, port=0, password="x", command=COMMAND, pace=Pace(monitor_s=5))


def client(cloud: Cloud) -> Any:
    return pyone.OneServer(cloud.endpoint, session=cloud.session)


def made(cloud: Cloud) -> int:
    """A machine that runs."""
    path = cloud.settings.state / "host" / "var" / "tmp" / "disk"
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(1 << 20))
    one = client(cloud)
    image = one.image.allocate('NAME="os"\nTYPE="OS"\nPATH="/var/tmp/disk"', 1)
    wind(cloud, lambda: one.image.info(image).STATE == 1)
    number: int = one.vm.allocate(MACHINE.format(image, one.vn.allocate(NETWORK, 0)), False)
    wind(cloud, lambda: state(cloud, number) == RUNNING)
    return number


def wind(cloud: Cloud, holds: Callable[[], bool]) -> None:
    """Let happen what happens, until something holds."""
    until(lambda: holds() or not cloud.advance() or holds())


def state(cloud: Cloud, number: int) -> tuple[int, int]:
    vm = client(cloud).vm.info(number)
    return vm.STATE, vm.LCM_STATE


@needs_qemu
@pytest.mark.parametrize("driver", ["process", "qemu"])
@pytest.mark.parametrize("word", CHANGES)
def test_machine_has_its_guest_whatever_happened_to_it(tmp_path: Path, driver: str, word: str) -> None:
    """Stopped in that state, the cloud goes on: the machine runs, and so does its guest, also when looked at later."""
    with Cloud(settings(tmp_path / "cloud", driver), WoundClock()) as cloud:
        number = made(cloud)
        bring_to(cloud, number, BEFORE.get(word, RUNNING))
        CHANGES[word](client(cloud), number)
        wind(cloud, lambda: state(cloud, number) == (3, LCM[word]))
        cloud.driver.stop(number, hard=True)  # nothing in it would hear the button
        clock = cloud.clock
    with Cloud(settings(tmp_path / "cloud", driver), clock) as cloud:
        wind(cloud, lambda: state(cloud, number) == RUNNING)
        for _ in range(10):
            cloud.advance()
        assert state(cloud, number) == RUNNING
        assert cloud.driver.is_there(number)
        cloud.driver.stop(number, hard=True)


@needs_qemu
@pytest.mark.parametrize("driver", ["process", "qemu"])
def test_machine_that_boots_anew_after_its_host_lost_power_has_its_guest(tmp_path: Path, driver: str) -> None:
    folder = tmp_path / "cloud"
    with Cloud(settings(folder, driver), WoundClock()) as cloud:
        number, one = made(cloud), client(cloud)
        lost = folder / "powerless" / one.vm.info(number).HISTORY_RECORDS.HISTORY[-1].HOSTNAME
        lost.parent.mkdir(exist_ok=True)
        lost.touch()
        wind(cloud, lambda: state(cloud, number) == (3, LCM["UNKNOWN"]))
        lost.unlink()
        one.vm.action("resume", number)
        wind(cloud, lambda: state(cloud, number) == (3, LCM["BOOT_UNKNOWN"]))
        cloud.driver.stop(number, hard=True)
        clock = cloud.clock
    with Cloud(settings(folder, driver), clock) as cloud:
        wind(cloud, lambda: state(cloud, number) == RUNNING)
        assert cloud.driver.is_there(number)
        cloud.driver.stop(number, hard=True)


def bring_to(cloud: Cloud, number: int, place: tuple[int, int]) -> None:
    """Powered off, or lost as that of a host which is not seen any more."""
    if place == POWEROFF:
        client(cloud).vm.action("poweroff-hard", number)
        wind(cloud, lambda: state(cloud, number) == POWEROFF)
    elif place != RUNNING:
        with cloud.store.transaction():
            vm = cloud.store.get("vm", number)
            assert vm is not None
            cloud.store.edit(vm).body["LCM_STATE"] = place[1]


@needs_qemu
def test_machine_that_cannot_be_started_again_says_why(tmp_path: Path) -> None:
    with Cloud(settings(tmp_path / "cloud", "qemu"), WoundClock()) as cloud:
        number = made(cloud)
        cloud.driver.stop(number, hard=True)
        clock = cloud.clock
    (tmp_path / "cloud" / "vms" / str(number) / "system.qcow2").write_bytes(b"no disk any more")
    with Cloud(settings(tmp_path / "cloud", "qemu"), clock) as cloud:
        until(lambda: not cloud.driver.is_starting(number))
        wind(cloud, lambda: state(cloud, number) == POWEROFF)
        assert "not in qcow2 format" in client(cloud).vm.info(number).USER_TEMPLATE["ERROR"]


@needs_qemu
def test_machine_is_looked_at_also_after_a_change(tmp_path: Path) -> None:
    """The look at it fell into the change; its guest's end is seen all the same."""
    with Cloud(settings(tmp_path / "cloud", "qemu"), WoundClock()) as cloud:
        number = made(cloud)
        with cloud.store.transaction():
            cloud.store.remove_events("vm.monitor", number)
            cloud.later(0, "vm.monitor", number)
        client(cloud).vm.snapshotcreate(number, "s")
        wind(cloud, lambda: state(cloud, number) == RUNNING)
        cloud.driver.stop(number, hard=True)
        wind(cloud, lambda: state(cloud, number) == POWEROFF)
