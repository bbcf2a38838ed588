"""The content of an image in its datastore, which is what it was when the image became ready."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pyone
import pytest

from emulator.objects import image_content
from tests.emulator.qemu import needs_qemu
from tests.emulator.test_resumed import MACHINE, NETWORK
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emulator.cloud import Cloud

pytestmark = needs_qemu

READY, ERROR = 1, 5
RUNNING = 3
MIB = 1 << 20


@pytest.fixture
def cloud(make_cloud: Callable[..., Cloud]) -> Cloud:
    """A cloud whose machines boot what lies in its datastores."""
    return make_cloud(driver="qemu")


def front_end_file(cloud: Cloud, content: bytes) -> Path:
    path = cloud.settings.state / "host" / "var" / "tmp" / "os"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def allocated(one: Any, state: int = READY, kind: str = "OS") -> int:
    image: int = one.image.allocate(f'NAME="os"\nTYPE="{kind}"\nPATH="/var/tmp/os"', 1)
    until(lambda: state == one.image.info(image).STATE)
    return image


def stored(cloud: Cloud, image: int) -> Path:
    return cloud.settings.state / "datastores" / "1" / str(image) / "disk"


def test_file_that_changes_or_goes_later_changes_no_image(cloud: Cloud, one: Any) -> None:
    """Whether it is written over in its place, as by cp, or removed."""
    path = front_end_file(cloud, b"A" * MIB)
    image = allocated(one)
    with path.open("r+b") as file:
        file.write(b"B" * MIB)
    assert stored(cloud, image).read_bytes() == b"A" * MIB
    path.unlink()
    assert stored(cloud, image).read_bytes() == b"A" * MIB


def test_copy_of_an_image_has_its_content(cloud: Cloud, one: Any) -> None:
    path = front_end_file(cloud, b"A" * MIB)
    image = allocated(one)
    path.unlink()
    copy = one.image.clone(image, "another")
    until(lambda: one.image.info(copy).STATE == READY)
    assert stored(cloud, copy).read_bytes() == b"A" * MIB
    one.image.delete(image)
    until(lambda: not stored(cloud, image).exists())
    assert stored(cloud, copy).exists()


def test_holes_stay_holes(cloud: Cloud, one: Any) -> None:
    path = front_end_file(cloud, b"begin")
    with path.open("r+b") as file:
        file.seek(64 * MIB)
        file.write(b"middle")
        file.truncate(256 * MIB)
    copy = stored(cloud, allocated(one))
    assert (copy.stat().st_size, path.stat().st_size) == (256 * MIB, 256 * MIB)
    assert copy.stat().st_blocks * 512 < MIB
    with copy.open("rb") as file:
        assert file.read(5) == b"begin"
        file.seek(64 * MIB)
        assert file.read(8) == b"middle\0\0"


def test_file_system_that_copies_nothing_by_itself(cloud: Cloud, one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> int:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    front_end_file(cloud, b"A" * MIB)
    assert stored(cloud, allocated(one)).read_bytes() == b"A" * MIB


def test_datastore_without_room_is_an_error_of_the_image(
    cloud: Cloud, one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In words, and nothing that is half an image is left."""

    def full(_source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(image_content, "_copy", full)
    front_end_file(cloud, b"A" * MIB)
    image = allocated(one, ERROR)
    assert "Error copying image in the datastore: No space left on device" in one.image.info(image).TEMPLATE["ERROR"]
    assert list(stored(cloud, image).parent.iterdir()) == []


def test_disk_for_data_is_made_by_who_uses_it(cloud: Cloud, one: Any) -> None:
    front_end_file(cloud, b"A" * MIB)
    assert not stored(cloud, allocated(one, kind="DATABLOCK")).exists()


def test_image_that_was_made_without_machines_is_taken_by_the_first(cloud: Cloud, one: Any) -> None:
    """By another driver, or by a version that took it later."""
    front_end_file(cloud, b"A" * MIB)
    image = allocated(one)
    stored(cloud, image).unlink()
    vm = one.vm.allocate(MACHINE.format(image, one.vn.allocate(NETWORK, 0)), False)
    until(lambda: one.vm.info(vm).LCM_STATE == RUNNING)
    assert stored(cloud, image).read_bytes() == b"A" * MIB
    cloud.driver.stop(vm, hard=True)


@pytest.mark.parametrize("driver", ["none", "process"])
def test_nobody_waits_for_a_copy_that_no_machine_boots(make_cloud: Callable[..., Cloud], driver: str) -> None:
    """Neither when the image is made nor when a machine starts that has it."""
    cloud = make_cloud(driver=driver, command=("sh", "-c", "exec sleep infinity"))
    one = pyone.OneServer(cloud.endpoint, session=cloud.session)
    front_end_file(cloud, b"A" * MIB)
    image = allocated(one)
    vm = one.vm.allocate(MACHINE.format(image, one.vn.allocate(NETWORK, 0)), False)
    until(lambda: one.vm.info(vm).LCM_STATE == RUNNING)
    assert not stored(cloud, image).exists()
