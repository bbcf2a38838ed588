"""Appliances move to another image one by one: the plan touches one branch, and no image is deleted for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.applying.apply import apply
from provision.declaring.reading import parse
from provision.visit.errors import NotUpgraded
from provision.visit.rolling import (
    declared_image,
    former_image,
    plan_with_images,
    present_images,
    require_nothing_else,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.declaring.community import Community
    from tests.provision.conftest import Office

IMAGE, NEXT = "gurney-appliance.qcow2", "gurney-appliance-2.qcow2"


@pytest.fixture
def moved(office: Office, example_text: str) -> Community:
    """The same community, with another image, which lies on the front end."""
    office.apply()
    office.until_running()
    folder = office.folder / "state/host/var/tmp"
    (folder / NEXT).write_bytes((folder / IMAGE).read_bytes())
    return parse(example_text.replace(IMAGE, NEXT))


def vms(office: Office) -> dict[str, int]:
    return {name: vm.id for name, vm in office.found().view.appliances.items()}


def move(office: Office, community: Community, names: Iterable[str]) -> list[str]:
    """What was done."""
    now = office.found()
    images = present_images(community, now) | dict.fromkeys(names, declared_image(community))
    plan = plan_with_images(community, now, images)
    apply(office.desk, plan)
    office.until_running()
    return [f"{step.action} {step.ref}" for step in plan]


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


def test_when_all_have_moved_apply_removes_the_old_image_alone(office: Office, moved: Community) -> None:
    move(office, moved, moved.branches)
    from provision.planning.plan import plan

    assert [f"{step.action} {step.kind}" for step in plan(moved, office.found())] == ["delete appliance-image"]


def test_nothing_begins_while_something_else_has_drifted(office: Office, moved: Community, example_text: str) -> None:
    other = parse(example_text.replace(IMAGE, NEXT).replace("ae_title: ERODE", "ae_title: ERODE2"))
    with pytest.raises(NotUpgraded, match=r"not as declared otherwise.*erode.*with the former image"):
        require_nothing_else(other, office.found())
