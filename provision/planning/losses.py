"""Archives that a plan would leave behind: none is made empty while one stands that may be the same branch's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.node import vectors
from provision.planning.belonging import is_data_of
from provision.planning.marks import mark_in
from provision.planning.step import CREATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from provision.node import Node
    from provision.planning.found import Found
    from provision.planning.step import Step


def archives_left_behind(steps: Sequence[Step], former: Mapping[str, str], found: Found) -> Iterator[str]:
    """Archives to be made for branches of which an image stands that nothing shows to be anybody's."""
    known = {node.id for _, node in found.view.ours("archive")}
    unknown = [each for each in found.pools.nodes["image"] if each.id not in known and is_data_of(found.view, each)]
    for step in steps:
        if (step.action, step.kind) != (CREATE, "archive"):
            continue
        names = {step.key, former.get(step.key, step.key), found.view.first_name(step.key)}
        for image in unknown:
            if why := _why_theirs(found, names, image):
                yield (
                    f"{step.name} would be made, empty, while image {image.name} (id {image.id}) stands, which {why}: "
                    f"if the patients' images of {step.key} are on it, `gurney adopt archive {image.id} --as "
                    f"{step.key}`; if not, take it out of there, or away"
                )


def _why_theirs(found: Found, names: set[str], image: Node) -> str:
    """What speaks for an image being a branch's archive; nothing where nothing does."""
    mark, groups = (
        mark_in(image.attributes()),
        {found.view.groups[name].id for name in names & found.view.groups.keys()},
    )
    if mark is not None and (mark.community, mark.kind) == (found.community, "archive") and mark.key in names:
        return f"is marked as the archive of {mark.key}"
    if image.number("GID") in groups:
        return f"is of group {image.text('GNAME')}"
    vms = [found.view.appliances[name] for name in names & found.view.appliances.keys()]
    used = {disk.get("IMAGE_ID") for vm in vms for disk in vectors(vm.attributes(), "DISK")}
    return "its appliance has as a disk" if str(image.id) in used else ""
