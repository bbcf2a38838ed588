"""Appliances move to another image one by one: the plan touches one branch, and no image is deleted for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from cli.upgrade import replace_in_turn
from exchange.errors import Unreachable
from provision.applying.apply import apply
from provision.declaring.reading import parse
from provision.planning.found import found
from provision.visit.errors import NotUpgraded
from provision.visit.host_keys import HostKeys
from provision.visit.rolling import (
    declared_image,
    former_image,
    plan_to_bring,
    plan_with_images,
    present_images,
    present_machine,
    require_nothing_else,
)
from provision.visit.shell import Machine
from provision.vm_state import address_of
from tests.provision.moving import IMAGE, NEXT, move, vms

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.store import Writer
    from provision.declaring.community import Community
    from tests.provision.conftest import Office


def test_one_branch_moves_and_the_others_stay(office: Office, moved: Community) -> None:
    require_nothing_else(moved, office.found())
    before, new = vms(office), declared_image(moved)
    steps = move(office, moved, ["erode"])
    assert sorted(steps) == sorted(
        [f"create {new}", "update template erode", "delete appliance erode", "create appliance erode"]
    )
    after = vms(office)
    assert {name for name in after if after[name] != before[name]} == {"erode"}
    assert present_images(moved, office.found())["erode"] == new
    require_nothing_else(moved, office.found())
    assert move(office, moved, ["erode"]) == []


def test_a_machine_is_where_its_vm_is_now(office: Office, moved: Community, tmp_path: Path) -> None:
    before = Machine("kongu.erode", "127.20.0.1", 22, HostKeys(tmp_path / "hosts"), None, "", "root")
    address = address_of(office.found().view.appliances["erode"])
    assert address not in {"", before.address}
    assert present_machine(office.found(), before) == replace(before, address=address)
    assert present_machine(office.found(), replace(before, name="kongu.gone")).address == before.address


def test_branch_goes_back_to_the_image_that_it_had(office: Office, moved: Community) -> None:
    old = former_image(moved, office.found(), "erode")
    assert old is not None
    archive = office.found().view.appliances["erode"].attributes()["DISK"][1]["IMAGE_ID"]
    move(office, moved, ["erode"])
    assert former_image(moved, office.found(), "erode") == old
    now = office.found()
    apply(office.desk, plan_with_images(moved, now, present_images(moved, now) | {"erode": old}))
    office.until_running()
    assert present_images(moved, office.found())["erode"] == old
    assert office.found().view.appliances["erode"].attributes()["DISK"][1]["IMAGE_ID"] == archive


def test_no_image_is_made_for_the_way_back(office: Office, moved: Community) -> None:
    now = office.found()
    assert [f"{step.action} {step.ref}" for step in plan_to_bring(moved, now)] == [f"create {declared_image(moved)}"]
    assert not plan_with_images(moved, now, present_images(moved, now))


def test_when_all_have_moved_apply_removes_the_old_image_alone(office: Office, moved: Community) -> None:
    move(office, moved, moved.branches)
    from provision.planning.plan import plan

    assert [f"{step.action} {step.kind}" for step in plan(moved, office.found())] == ["delete appliance-image"]


def test_nothing_begins_while_something_else_has_drifted(office: Office, moved: Community, example_text: str) -> None:
    other = parse(example_text.replace(IMAGE, NEXT).replace("ae_title: ERODE", "ae_title: ERODE2"))
    with pytest.raises(NotUpgraded, match=r"not as declared otherwise.*erode.*with the former image"):
        require_nothing_else(other, office.found())


def test_a_branch_that_is_called_otherwise_is_named_as_a_change_and_not_as_a_loss(
    office: Office, moved: Community, example_text: str
) -> None:
    """A name and an image were changed in one edit: what is refused is the name alone, and no archive is in danger."""
    text = example_text.replace(IMAGE, NEXT).replace("  erode:\n", "  erode-town:\n    was: erode\n")
    text = text.replace("from: erode", "from: erode-town").replace("[erode", "[erode-town")
    called = parse(text.replace(", erode", ", erode-town"))
    assert present_images(called, office.found())["erode-town"] == declared_image(office.community)
    with pytest.raises(NotUpgraded, match=r"not as declared otherwise.*update appliance kongu.erode-town") as told:
        require_nothing_else(called, office.found())
    assert "delete" not in str(told.value)
    assert "create" not in str(told.value)


class FailingOnce:
    """The exchange, which cannot be looked into once, when `due` falls to 0."""

    def __init__(self, store: Writer, due: int) -> None:
        self._store, self.due = store, due

    def __getattr__(self, name: str) -> Any:
        if name == "list":
            self.due -= 1
            if self.due == 0:
                raise Unreachable("the exchange does not answer")
        return getattr(self._store, name)


def test_an_exchange_that_fails_for_a_moment_ends_one_branch_and_not_the_round(
    office: Office, moved: Community, tmp_path: Path
) -> None:
    """Nobody is reached over SSH here: each branch has its own failure."""
    store = FailingOnce(office.desk.store, 0)
    desk = replace(office.desk, store=cast("Writer", store))
    keys = HostKeys(tmp_path / "hosts")
    machines = [Machine(f"kongu.{name}", "127.0.0.1", 1, keys, None, "", "root") for name in ("erode", "salem")]
    found(desk, "kongu")
    once = -store.due  # that the command begins with, before the first branch
    store.due = once + 1
    done = replace_in_turn((moved, desk), machines, patience_s=0.1, quiet=True, keep_going=False)
    assert (done.answers, done.left) == ({}, ())
    assert str(done.failures["kongu.erode"]) == "kongu.erode: the exchange does not answer"
    assert "does not answer" not in str(done.failures["kongu.salem"])
