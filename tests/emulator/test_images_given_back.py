"""What becomes of a persistent image when the virtual machine that uses it is over, as OpenNebula has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pyone import OneActionException, OneServer

from emulator.clock import WoundClock
from emulator.cloud import Cloud
from emulator.settings import Pace, Settings
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

PACE = Pace(image_s=0.02, host_s=0.02, schedule_s=0.02, vm_step_s=0.02, poll_s=0.02)
READY, USED, ERROR = 1, 8, 5
RUNNING, BOOT_FAILURE, SHUTDOWN = (3, 3), (3, 36), (3, 12)


def client(cloud: Cloud) -> Any:
    """pyone as oneadmin."""
    return OneServer(cloud.endpoint, session=cloud.session)


def machine(one: Any, reached: Callable[[Callable[[], bool]], None] = until) -> tuple[int, int]:
    """A machine with a persistent disk, and the disk's image."""
    image = one.image.allocate('NAME="a"\nTYPE="DATABLOCK"\nSIZE="1"\nPERSISTENT="YES"', 1)
    reached(lambda: one.image.info(image).STATE == READY)
    return one.vm.allocate(f'NAME="vm"\nCPU="1"\nMEMORY="64"\nDISK=[IMAGE_ID="{image}"]'), image


def state(one: Any, vm: int) -> tuple[int, int]:
    told = one.vm.info(vm)
    return told.STATE, told.LCM_STATE


def deleted(one: Any, vm: int) -> None:
    one.vm.recover(vm, 3)


def off_and_deleted(one: Any, vm: int) -> None:
    one.vm.action("poweroff", vm)
    until(lambda: one.vm.info(vm).STATE == 8)
    one.vm.recover(vm, 3)


def terminated(one: Any, vm: int) -> None:
    one.vm.action("terminate", vm)


@pytest.mark.parametrize(
    ("fault", "at", "ends", "state_after"),
    [
        ((), RUNNING, terminated, READY),
        ((), RUNNING, deleted, ERROR),
        ((), RUNNING, off_and_deleted, READY),
        (("boot:fail@1",), BOOT_FAILURE, deleted, ERROR),
        (("boot:fail@1",), BOOT_FAILURE, terminated, ERROR),
    ],
)
def test_what_was_not_carried_back_is_in_error(
    make_cloud: Callable[..., Cloud],
    fault: tuple[str, ...],
    at: tuple[int, int],
    ends: Callable[[Any, int], None],
    state_after: int,
) -> None:
    one = client(make_cloud(faults=fault, pace=PACE))
    vm, image = machine(one)
    until(lambda: state(one, vm) == at)
    assert one.image.info(image).STATE == USED
    ends(one, vm)
    until(lambda: one.vm.info(vm).STATE == 6)
    assert state_after == one.image.info(image).STATE
    one.image.enable(image, True)
    assert one.image.info(image).STATE == READY


def test_a_guest_that_ignores_its_shutdown_is_ended_the_hard_way(tmp_path: Path) -> None:
    with Cloud(Settings(state=tmp_path / "cloud", driver="none", port=0), WoundClock()) as cloud:

        def step_until(holds: Callable[[], bool]) -> None:
            while not holds():
                assert cloud.advance()

        one = client(cloud)
        vm, image = machine(one, step_until)
        step_until(lambda: state(one, vm) == RUNNING)
        one.vm.action("terminate", vm)
        step_until(lambda: state(one, vm) == SHUTDOWN)
        with pytest.raises(OneActionException, match="not available for state SHUTDOWN"):
            one.vm.action("terminate", vm)
        one.vm.action("terminate-hard", vm)
        step_until(lambda: one.vm.info(vm).STATE == 6)
        assert one.image.info(image).STATE == READY
