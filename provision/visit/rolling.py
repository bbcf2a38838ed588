"""Appliances are put on another image, branch by branch: the plan in which one branch moves and all others stay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provision.kinds.image import declared_os, os_image_key
from provision.kinds.machine import Disk
from provision.kinds.table import declared_resources
from provision.planning.plan import former_names, plan_towards
from provision.planning.resource import Ref, Resource
from provision.visit.errors import NotUpgraded
from provision.vm_state import address_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provision.declaring.community import Community
    from provision.planning.found import Found
    from provision.planning.plan import Plan
    from provision.visit.shell import Machine

IMAGE = "appliance-image"


def declared_image(community: Community) -> Ref:
    """The image that the community file names."""
    return Ref(IMAGE, os_image_key(community.image.source))


def present_images(community: Community, now: Found) -> dict[str, Ref]:
    """Branch to the image of its VM; of its template, where its VM is gone. A branch may be called otherwise there."""
    images, former = {}, former_names(community, now)
    for name in community.branches:
        called = former.get(name, name)
        standing = (now.resources.get(Ref(kind, called)) for kind in ("appliance", "template"))
        disks = next((each.spec.disks for each in standing if each is not None), ())
        if disks and disks[0].image.kind == IMAGE:
            images[name] = disks[0].image
    return images


def present_machine(now: Found, machine: Machine) -> Machine:
    """The machine where its branch's VM is now: another VM may have another address."""
    vm = now.view.appliances.get(machine.name.partition(".")[2])
    return machine if vm is None else replace(machine, address=address_of(vm))


def plan_with_images(community: Community, now: Found, images: Mapping[str, Ref]) -> Plan:
    """What has to be done so that each branch's machine is of its image; no image is deleted for it.

    The image of the community file is made where a machine is to be of it: the way back needs none but the former one.
    """
    elsewhere = community.branches.keys() <= images.keys() and declared_image(community) not in images.values()
    return _plan(community, now, images, () if elsewhere else declared_os(community))


def plan_to_bring(community: Community, now: Found) -> Plan:
    """What has to be done so that the image of the community file lies in the cloud; every machine stays on its own."""
    return _plan(community, now, present_images(community, now), declared_os(community))


def require_nothing_else(community: Community, now: Found) -> None:
    """
    Refuse to begin where the cloud is not as declared in anything but images: the steps would mix.

    Raises
    ------
    NotUpgraded
        With what is not.
    """
    stay = plan_with_images(community, now, present_images(community, now))
    other = [str(step) for step in stay if step.kind != IMAGE]
    if other:
        words = "; ".join(other)
        raise NotUpgraded(f"the cloud is not as declared otherwise ({words}): apply that first, with the former image")


def former_image(community: Community, now: Found, branch: str) -> Ref | None:
    """The image that a branch can go back to: the one that it has, or the only other one that there is."""
    new = declared_image(community)
    present = present_images(community, now).get(branch)
    others = [ref for ref in now.resources if ref.kind == IMAGE and ref != new]
    if present is not None and present != new:
        return present
    return others[0] if len(others) == 1 else None


def _plan(community: Community, now: Found, images: Mapping[str, Ref], needed: Iterable[Resource]) -> Plan:
    return plan_towards(tuple(_declared(community, now, images, needed)), former_names(community, now), now)


def _declared(
    community: Community, now: Found, images: Mapping[str, Ref], needed: Iterable[Resource]
) -> Iterator[Resource]:
    standing = {ref: Resource(ref, each.name, each.spec) for ref, each in now.resources.items() if ref.kind == IMAGE}
    yield from (standing | {each.ref: each for each in needed}).values()
    for each in declared_resources(community):
        if each.ref.kind in {"appliance", "template"} and each.ref.key in images:
            disks = (Disk(images[each.ref.key]), *each.spec.disks[1:])
            yield replace(each, spec=replace(each.spec, disks=disks))
        elif each.ref.kind != IMAGE:
            yield each
