"""Appliances that move to another image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.applying.apply import apply
from provision.declaring.reading import parse
from provision.visit.rolling import (
    declared_image,
    plan_with_images,
    present_images,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.declaring.community import Community
    from tests.provision.conftest import Office

IMAGE, NEXT = "gurney-appliance.qcow2", "gurney-appliance-2.qcow2"


def with_next_image(office: Office, text: str) -> Community:
    office.apply()
    office.until_running()
    folder = office.folder / "state/host/var/tmp"
    (folder / NEXT).write_bytes((folder / IMAGE).read_bytes())
    return parse(text.replace(IMAGE, NEXT))


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
