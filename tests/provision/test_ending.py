"""An appliance that is ended gives its archive back whole, however long that takes and whatever state it is in."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from emulator.faults import Faults
from emulator.settings import Pace
from provision.declaring.reading import parse
from provision.errors import NotFinished
from provision.kinds import ending
from provision.vm_state import state_name
from tests.provision.mortal import ONE_BRANCH
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.applying.take import Progress
    from tests.provision.conftest import Office

NEW_IMAGE = ONE_BRANCH.replace("gurney-appliance.qcow2", "new.qcow2")
READY, ERROR, USED = 1, 5, 8


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds in place of minutes."""
    for name, value in (("PATIENCE_S", 0.5), ("SETTLED_S", 0.5), ("TELL_S", 0.2)):
        monkeypatch.setattr(ending, name, value)
    monkeypatch.setattr("provision.applying.watch.LAST_S", 0.1)


@pytest.fixture
def small(new_office: Callable[..., Office]) -> Callable[..., Office]:
    """Makes a community of one branch, and the file of a new image."""

    def make(*faults: str) -> Office:
        office = replace(new_office(faults=faults), community=parse(ONE_BRANCH))
        (office.folder / "state/host/var/tmp/new.qcow2").write_bytes(bytes(1 << 20))
        office.apply()
        return office

    return make


#: How long a step is held, in seconds, and what would come before it: the cloud's looks at its machines.
HELD = Pace(vm_step_s=1800, monitor_s=3600, host_monitor_s=3600)


def hold(office: Office) -> None:
    """Let each step of a VM take until it is let go."""
    office.embedded.settings = replace(office.embedded.settings, pace=HELD)


def let_go(office: Office) -> None:
    """What is held ends now, and later steps soon."""
    office.embedded.settings = replace(office.embedded.settings, pace=replace(HELD, vm_step_s=Pace().vm_step_s))
    while office.embedded.advance(HELD.vm_step_s):
        pass


def has_been(state: str, progress: Progress) -> bool:
    """Whether it is said that a VM that ends has been in a state for longer than any of the times above."""
    said = re.fullmatch(rf"kongu.erode ends: {state} for (\d+) s", progress.words)
    return said is not None and int(said[1]) >= 2


def until_state(office: Office, state: str, *, step_by_step: bool = False) -> None:
    def come() -> bool:
        now = state_name(office.found().view.appliances["erode"])
        if step_by_step and now != state:
            office.embedded.advance()
        return now == state

    until(come, state)


def archive(office: Office) -> tuple[int, bool]:
    """The state of the archive, and whether it is locked."""
    node = dict(office.found().view.ours("archive"))["erode"]
    return node.number("STATE"), node.number("LOCK/LOCKED", 0) > 0


def test_carrying_the_archive_back_may_take_longer_than_a_guest_may(small: Callable[..., Office]) -> None:
    office = small()
    office.until_running()
    hold(office)
    carried: list[str] = []

    def told(progress: Progress) -> None:
        if "ends: SHUTDOWN for" in progress.words:
            office.embedded.advance()
        if has_been("EPILOG", progress):
            carried.append(progress.words)
            let_go(office)

    calls = office.desk.cloud.calls
    assert not office.apply(NEW_IMAGE, on_progress=told).after
    assert carried
    assert calls["vm.recover"] == 0
    assert archive(office) == (USED, True)


def test_a_guest_that_does_not_shut_down_is_ended_the_hard_way(small: Callable[..., Office]) -> None:
    office = small()
    office.until_running()
    hold(office)
    calls = office.desk.cloud.calls
    before = calls["vm.action"]

    def told(progress: Progress) -> None:
        if "ends: SHUTDOWN for 2 s" in progress.words:  # it has been told again meanwhile
            let_go(office)

    assert not office.apply(NEW_IMAGE, on_progress=told).after
    assert (calls["vm.action"] - before, calls["vm.recover"]) == (2, 0), "terminate, and then terminate-hard"
    office.until_running()
    assert archive(office) == (USED, True)


@pytest.mark.parametrize(("fault", "state"), [("prolog:fail@1", "PROLOG_FAILURE"), ("boot:fail@1", "BOOT_FAILURE")])
def test_one_that_failed_before_it_ran(small: Callable[..., Office], fault: str, state: str) -> None:
    office = small(fault)
    until_state(office, state)
    assert not office.apply(NEW_IMAGE).after
    office.until_running()
    assert archive(office) == (USED, True)


def test_an_archive_that_cannot_be_carried_back_stays_where_it_is(small: Callable[..., Office]) -> None:
    """The disk lies on the host, whole: nothing is forced, and the next apply goes on when the host is there again."""
    office = small()
    office.until_running()
    hold(office)
    number = office.found().view.appliances["erode"].id
    office.raw("vm.action", "terminate", number)
    until_state(office, "EPILOG", step_by_step=True)
    office.embedded.power.cut("embedded")
    let_go(office)
    until_state(office, "EPILOG_FAILURE", step_by_step=True)
    with pytest.raises(NotFinished, match=r"it is EPILOG_FAILURE: .*No route to host, and does not end \(its host may"):
        office.apply(NEW_IMAGE)
    assert office.found().view.appliances["erode"].id == number
    assert archive(office) == (USED, True)
    office.embedded.power.restore("embedded")
    assert not office.apply(NEW_IMAGE).after
    office.until_running()
    assert archive(office) == (USED, True)


def test_one_whose_host_is_lost_is_left_to_a_person(small: Callable[..., Office]) -> None:
    office = small()
    office.until_running()
    vm = office.found().view.appliances["erode"].id
    office.embedded.power.cut("embedded")
    with pytest.raises(NotFinished, match=r"VM kongu.erode \(\d+\): .*does not end .*onevm recover --delete"):
        office.apply(NEW_IMAGE)
    assert office.desk.cloud.calls["vm.recover"] == 0
    assert office.found().view.appliances["erode"].id == vm
    office.raw("vm.recover", vm, ending.RECOVER_DELETE)
    until(lambda: not office.found().view.appliances, "the end of the VM")
    office.embedded.power.restore("embedded")
    assert not office.apply(NEW_IMAGE).after
    office.until_running()
    assert archive(office) == (USED, True)


def test_an_archive_whose_vm_was_deleted_by_force_is_used_again_as_it_is(small: Callable[..., Office]) -> None:
    office = small()
    office.until_running()
    office.raw("vm.recover", office.found().view.appliances["erode"].id, ending.RECOVER_DELETE)
    until(lambda: not office.found().view.appliances, "the end of the VM")
    assert archive(office) == (ERROR, True)
    steps = {(step.action, step.kind): step.reason for step in office.plan()}
    assert set(steps) == {("update", "archive"), ("create", "appliance")}
    assert "deleted by force" in steps["update", "archive"]
    assert not office.apply().after
    office.until_running()
    assert archive(office) == (USED, True)


def test_an_image_that_cannot_be_fetched_takes_nobody_down(small: Callable[..., Office]) -> None:
    office = small()
    office.until_running()
    vm = office.found().view.appliances["erode"].id
    office.embedded.faults = Faults(["image:fail"])
    for _ in range(2):  # the image that failed is found by the second
        with pytest.raises(NotFinished, match="Fault injected"):
            office.apply(NEW_IMAGE)
        assert state_name(office.found().view.appliances["erode"]) == "RUNNING"
        assert office.found().view.appliances["erode"].id == vm
        images = {node.text("PATH"): node.number("STATE") for _, node in office.found().view.ours("appliance-image")}
        assert images == {"/var/tmp/gurney-appliance.qcow2": 2, "/var/tmp/new.qcow2": ERROR}
    assert not office.apply().after, "and back"
    assert office.found().view.appliances["erode"].id == vm
    assert [node.text("PATH") for _, node in office.found().view.ours("appliance-image")] == [
        "/var/tmp/gurney-appliance.qcow2"
    ]


def test_the_image_before_stays_until_those_that_leave_it_are_there_again(small: Callable[..., Office]) -> None:
    office = small()
    office.until_running()
    office.embedded.faults = Faults(["template.instantiate:2048"])
    with suppress(NotFinished):
        office.apply(NEW_IMAGE)
    assert len(list(office.found().view.ours("appliance-image"))) == 2
    office.embedded.faults = Faults()
    assert not office.apply(NEW_IMAGE).after
    assert len(list(office.found().view.ours("appliance-image"))) == 1
