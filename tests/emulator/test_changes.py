"""What is changed of a virtual machine that runs reaches its guest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from emulator.drivers import qmp
from emulator.drivers.qemu import Machines
from tests.emulator.qemu import needs_qemu
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from emulator.cloud import Cloud

pytestmark = needs_qemu
READY, RUNNING, POWEROFF = 1, (3, 3), (8, 0)
MIB = 1 << 20


def image(one: Any, text: str) -> int:
    made: int = one.image.allocate(text, 1)
    until(lambda: one.image.info(made).STATE == READY)
    return made


def state(one: Any, vm: int) -> tuple[int, int]:
    told = one.vm.info(vm)
    return told.STATE, told.LCM_STATE


@pytest.fixture
def cloud(make_cloud: Callable[..., Cloud]) -> Cloud:
    return make_cloud(driver="qemu")


@pytest.fixture
def vm(cloud: Cloud, one: Any) -> Iterator[int]:
    """A machine that finds nothing to boot, and has a disk for data."""
    path = cloud.settings.state / "host" / "var" / "tmp" / "os"
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(MIB))
    system = image(one, 'NAME="os"\nTYPE="OS"\nPATH="/var/tmp/os"')
    data = image(one, 'NAME="data"\nTYPE="DATABLOCK"\nSIZE="64"\nPERSISTENT="YES"')
    disks = f'DISK=[IMAGE_ID="{system}"]\nDISK=[IMAGE_ID="{data}"]'
    made: int = one.vm.allocate(f'NAME="a"\nCPU="1"\nMEMORY="64"\n{disks}\nCONTEXT=[A="before",B="stays"]', False)
    until(lambda: state(one, made) == RUNNING)
    yield made
    cloud.driver.stop(made, hard=True)  # it does not heed its power button


def folder(cloud: Cloud, vm: int) -> Path:
    return cloud.settings.state / "vms" / str(vm)


def drives(cloud: Cloud, vm: int) -> list[dict[str, Any]]:
    """As qemu itself has them now."""
    return list(qmp.tell(folder(cloud, vm) / "qmp", "query-block"))


def disc_in_the_drive(cloud: Cloud, vm: int) -> bytes:
    """What a guest would read of its CD-ROM: what qemu has open, whatever lies there by now."""
    assert isinstance(cloud.driver, Machines)
    process = cloud.driver._machines[vm].process
    assert process is not None
    return b"".join(map(disc_behind, Path(f"/proc/{process.pid}/fd").iterdir()))


def disc_behind(descriptor: Path) -> bytes:
    """What qemu has open by a descriptor, if that is a disc; one that was just closed leads nowhere."""
    try:
        return descriptor.read_bytes() if "context" in descriptor.readlink().name else b""
    except FileNotFoundError:
        return b""


def test_new_context_is_on_the_disc_of_a_machine_that_runs(cloud: Cloud, one: Any, vm: int) -> None:
    assert b"A='before'" in disc_in_the_drive(cloud, vm)
    one.vm.updateconf(vm, 'CONTEXT=[A="after"]', 1)
    until(lambda: b"A='after'" in disc_in_the_drive(cloud, vm), "another disc")
    assert b"B='stays'" in disc_in_the_drive(cloud, vm)
    assert b"before" not in disc_in_the_drive(cloud, vm)
    assert "A='after'" in (folder(cloud, vm) / "context" / "context.sh").read_text()
    assert oct((folder(cloud, vm) / "context.iso").stat().st_mode)[-3:] == "600"
    assert state(one, vm) == RUNNING


def test_many_changes_end_with_the_last(cloud: Cloud, one: Any, vm: int) -> None:
    for number in range(9):
        one.vm.updateconf(vm, f'CONTEXT=[A="{number}"]', 1)
    until(lambda: b"A='8'" in disc_in_the_drive(cloud, vm), "the last disc")


def test_larger_disk_is_seen_by_a_machine_that_runs(cloud: Cloud, one: Any, vm: int) -> None:
    """Nothing else is disturbed: the disc stays in its drive."""
    disc = (folder(cloud, vm) / "context.iso").stat().st_ino
    one.vm.diskresize(vm, 1, "128")
    until(lambda: state(one, vm) == RUNNING, "the end of the change")
    until(lambda: sizes_mib(cloud, vm) == [128], "a larger disk")
    assert (folder(cloud, vm) / "disk.1" / "disk.raw").stat().st_size == 128 * MIB
    assert (folder(cloud, vm) / "context.iso").stat().st_ino == disc


def sizes_mib(cloud: Cloud, vm: int) -> list[int]:
    found = [drive["inserted"]["image"] for drive in drives(cloud, vm) if "inserted" in drive]
    return [each["virtual-size"] // MIB for each in found if each["filename"].endswith("disk.raw")]


def test_machine_that_is_off_sees_it_when_it_starts(cloud: Cloud, one: Any, vm: int) -> None:
    one.vm.action("poweroff-hard", vm)
    until(lambda: state(one, vm) == POWEROFF)
    one.vm.updateconf(vm, 'CONTEXT=[A="after"]', 1)
    one.vm.diskresize(vm, 1, "128")
    until(lambda: state(one, vm) == POWEROFF)
    one.vm.action("resume", vm)
    until(lambda: state(one, vm) == RUNNING)
    assert b"A='after'" in disc_in_the_drive(cloud, vm)
    assert sizes_mib(cloud, vm) == [128]
