"""Names that a plan needs and that something has: what is renamed frees one, and the rest is in the way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provision.planning.comparison import in_order
from provision.planning.step import CREATE, DELETE, UPDATE

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from provision.node import Node
    from provision.planning.found import Found
    from provision.planning.resource import Ref
    from provision.planning.step import Step

#: Kind to the pool in which its name has to be free, and whether that is so for each owner or for the whole cloud.
NAMESPACES = {
    "group": ("group", False),
    "vdc": ("vdc", False),
    "exchange": ("datastore", False),
    "image-datastore": ("datastore", False),
    "system-datastore": ("datastore", False),
    "network": ("vn", True),
    "security-group": ("secgroup", True),
    "appliance-image": ("image", True),
    "exchange-image": ("image", True),
    "archive": ("image", True),
    "outbox": ("image", True),
    "template": ("template", True),
    "vm-group": ("vmgroup", True),
    "backup-job": ("backupjob", True),
    "host-hook": ("hook", False),
}


def after_renaming(steps: Sequence[Step]) -> list[Step]:
    """The same steps, where what gets a name that another step frees is made after that."""
    freed = _freed(steps)
    return in_order([replace(step, after=step.after | _freeing(step, freed)) for step in steps]) if freed else [*steps]


def names_in_the_way(steps: Sequence[Step], found: Found) -> Iterator[str]:
    """Other people's objects that have a name that Gurney needs, and what a branch's own people can call so."""
    for step, node in _in_the_way(steps, found):
        handed = (
            f", but one of group {node.text('GNAME')}, whose admin can rename it" if found.view.is_handed(node) else ""
        )
        yield f"{step.kind} {step.name} exists (id {node.id}) and is not Gurney's{handed}: rename it, or adopt it"


def held_up(steps: Sequence[Step], found: Found) -> dict[str, str]:
    """The branches that wait until a name is free that a branch's own people could take, each with why.

    A group's admin may rename what the service user handed to the group.
    """
    return {
        step.branch: (
            f"Branch {step.branch} is held up, everything else goes on: its {step.kind} is to be called {step.name}, "
            f"as is one of group {node.text('GNAME')} (id {node.id}), whose admin can rename it. Rename that, or "
            "delete it if nothing needs it, and apply again."
        )
        for step, node in _in_the_way(steps, found)
        if step.branch and found.view.is_handed(node)
    }


def without(steps: Sequence[Step], branches: Container[str]) -> list[Step]:
    """The steps that are for other branches, and wait for none that is left out."""
    left_out = {step.id for step in steps if step.branch in branches}
    left: list[Step] = []
    for step in steps:  # each stands after those that it waits for
        if step.id in left_out or step.after & left_out:
            left_out.add(step.id)
        else:
            left.append(step)
    return left


def _in_the_way(steps: Sequence[Step], found: Found) -> Iterator[tuple[Step, Node]]:
    """What is to be made, and an object that has its name and keeps it."""
    leaving, freed = {(step.kind, step.name) for step in steps if step.action == DELETE}, _freed(steps)
    for step in steps:
        if step.action != CREATE or step.kind not in NAMESPACES or (step.kind, step.name) in leaving:
            continue
        pool, by_owner = NAMESPACES[step.kind]
        for node in found.pools.nodes[pool] if not _freeing(step, freed) else ():
            if node.name == step.name and (not by_owner or node.number("UID") == found.view.uid):
                yield step, node


def _freed(steps: Sequence[Step]) -> dict[tuple[str, str], tuple[str, Ref]]:
    """The pool and name that each renaming frees, and its step."""
    renaming = ((step, change) for step in steps if step.action == UPDATE for change in step.changes)
    return {
        (NAMESPACES[step.kind][0], change.old): step.id
        for step, change in renaming
        if change.field == "name" and step.kind in NAMESPACES
    }


def _freeing(step: Step, freed: dict[tuple[str, str], tuple[str, Ref]]) -> frozenset[tuple[str, Ref]]:
    """The step that frees the name of one that makes something; none where nothing has to."""
    pool = NAMESPACES[step.kind][0] if step.action == CREATE and step.kind in NAMESPACES else ""
    found = freed.get((pool, step.name))
    return frozenset() if found is None else frozenset({found})
