"""A resize that is interrupted at any call never leaves an appliance off."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import pytest

from emulator.faults import Faults
from provision.declaring.reading import parse
from provision.errors import NotFinished, ProvisionError
from provision.kinds.appliance import LEFT_OFF
from provision.vm_state import POWEROFF
from tests.provision.mortal import ONE_BRANCH, apply_and_die
from tests.waiting import until

if TYPE_CHECKING:
    from tests.provision.conftest import Office

SIZES = "appliance: {cpu: 2, memory: 4GiB", "appliance: {cpu: 3, memory: 6GiB"


@pytest.fixture
def small(office: Office) -> Office:
    """A community of one branch, whose appliance runs."""
    office = replace(office, community=parse(ONE_BRANCH))
    office.apply()
    office.until_running()
    return office


def check(office: Office, text: str) -> None:
    """The VM runs, in its new size, and nothing is left to do."""
    office.until_running()
    vm = office.found().view.appliances["erode"]
    assert vm.text("TEMPLATE/CPU") == ("3" if text == larger() else "2")
    assert office.plan(text).to_json() == []


def larger() -> str:
    """The same community with a larger appliance."""
    text = ONE_BRANCH.replace(*SIZES)
    assert text != ONE_BRANCH
    return text


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_every_call(small: Office, before: bool) -> None:
    for last in count(1):
        text = larger() if last % 2 else ONE_BRANCH
        died = apply_and_die(small, small.plan(text), last, before=before)
        assert not small.apply(text).after, f"call {last}"
        check(small, text)
        if not died:
            break
    assert last > 9


CALLS = ("vm.update", "vm.action", "vm.resize", "template.update")


@pytest.mark.parametrize("what", ["2048", "drop", "lost"])
@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_fails_is_made_good(small: Office, call: str, what: str) -> None:
    small.embedded.faults = Faults([f"{call}:{what}@1", f"{call}:{what}@3"])
    with suppress(ProvisionError):
        small.apply(larger())
    small.embedded.faults = Faults()
    assert not small.apply(larger()).after
    check(small, larger())


def test_one_that_is_refused_is_started_again_at_once(small: Office) -> None:
    small.embedded.faults = Faults(["vm.resize:2048"])
    with pytest.raises(NotFinished, match=r"one\.vm\.resize"):
        small.apply(larger())
    small.embedded.faults = Faults()
    small.until_running()
    assert small.found().view.appliances["erode"].text(f"USER_TEMPLATE/{LEFT_OFF}") == ""


def test_one_that_was_off_before_stays_off(small: Office) -> None:
    """Somebody switched it off and meant it; a note from before its last run, or by its guest, is not believed."""
    number = small.found().view.appliances["erode"].id
    small.raw("vm.update", number, f'{LEFT_OFF}="1"', 1)
    assert not small.plan()
    small.raw("vm.action", "poweroff", number)
    until(lambda: small.found().view.appliances["erode"].number("STATE") == POWEROFF)
    small.apply(larger())
    assert small.found().view.appliances["erode"].number("STATE") == POWEROFF
    assert not small.plan(larger())


@pytest.mark.parametrize("faults", [["vm.action:2048"], ["vm.action:2048", "vm.update:2048@2+"]], ids=["off", "note"])
def test_one_that_could_not_be_powered_off_may_be_switched_off_later(small: Office, faults: list[str]) -> None:
    """The note of the resize is taken away, by the next apply at the latest: it would start what a person stopped."""
    small.embedded.faults = Faults(faults)
    with pytest.raises(NotFinished, match=r"one\.vm\.action"):
        small.apply(larger())
    small.embedded.faults = Faults()
    vm = small.found().view.appliances["erode"]
    noted = vm.text(f"USER_TEMPLATE/{LEFT_OFF}")
    assert (noted != "") == (len(faults) > 1)
    left = [change.field for step in small.plan() if step.kind == "appliance" for change in step.changes]
    assert left == ["left_off"] * (noted != "")
    small.apply()
    assert small.found().view.appliances["erode"].text(f"USER_TEMPLATE/{LEFT_OFF}") == ""
    small.raw("vm.action", "poweroff", vm.id)
    until(lambda: small.found().view.appliances["erode"].number("STATE") == POWEROFF)
    assert small.plan().to_json() == []
