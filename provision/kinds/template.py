"""A branch's VM template, from which its appliance is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.kind import REPLACE, Kind, permitting, renaming
from provision.kinds.datastore import system_of
from provision.kinds.machine import Machine, declared_machine, found_machine, narrowed
from provision.node import first
from provision.planning.marks import object_name
from provision.planning.resource import Existing, Ref, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.kind import Act
    from provision.planning.view import View


@dataclass(frozen=True)
class Template(Machine):
    """How a VM template is. It stays in the service user's own group, so that no branch can rewrite it."""

    mode: str
    cluster: Ref
    system: Ref


def declared(community: Community) -> Iterator[Resource]:
    """A template for each branch."""
    for name in community.branches:
        spec = Template(
            **declared_machine(community, name),
            mode="600",
            cluster=Ref("cluster", community.cloud.cluster),
            system=system_of(community),
        )
        yield Resource(Ref("template", name), object_name(community.community, name), spec)


def found(view: View) -> Iterator[Existing]:
    """The templates that stand."""
    for key, node in view.ours("template"):
        attributes = node.attributes()
        spec = Template(
            **found_machine(view, attributes),
            mode=node.mode,
            cluster=_required(view, "cluster", first(attributes, "SCHED_REQUIREMENTS")),
            system=_required(view, "datastore", first(attributes, "SCHED_DS_REQUIREMENTS")),
        )
        yield Existing(Ref("template", key), node.name, spec, node.id, view.marked_key("template", node), node)


def _required(view: View, pool: str, requirement: str) -> Ref:
    number = requirement.rpartition("=")[2].strip(' "')
    return view.ref(pool, int(number)) if number.isdigit() else Ref(f"#{pool}", requirement)


def create(act: Act, resource: Resource) -> int:
    """Make the template, with its mark."""
    return int(act.call("template.allocate", act.text("template", resource, new=True)))


def rewrite(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
    """Write the whole template anew; a running VM does not follow it."""
    act.call("template.update", number, act.text("template", resource, new=False), REPLACE)


def remove(act: Act, found: Existing) -> None:
    """Delete the template; the images that it names stay."""
    act.call("template.delete", found.id, False)


KIND = Kind(
    name="template",
    declared=declared,
    found=found,
    narrowed=narrowed,
    create=create,
    in_place={
        **dict.fromkeys(("key", "cpu", "memory_mib", "disks", "cards", "context", "apart"), rewrite),
        **dict.fromkeys(("cluster", "system", "token"), rewrite),
        "name": renaming("template"),
        "mode": permitting("template"),
    },
    later=("mode",),
    remove=remove,
)
