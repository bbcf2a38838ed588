"""What OpenNebula cannot do as declared: found out before anything is changed, each with the alternative."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from provision.declaring.addresses import less, spanning, without
from provision.planning.apart import obstacles_apart
from provision.planning.host_failure import obstacles_of_restart
from provision.planning.resource import Ref
from provision.planning.taken_names import names_in_the_way
from provision.planning.versions import obstacles_of_version
from provision.planning.view import NAMED
from provision.upload.safe_folders import out_of_reach

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from provision.kinds.network import Network
    from provision.node import Node
    from provision.planning.found import Found
    from provision.planning.resource import Existing, Resource
    from provision.planning.step import Step

#: TYPE of a datastore that holds backups (pyone knows none).
BACKUP_DATASTORE = 3

#: How many addresses one step holds: OpenNebula holds one a call, at some hundred calls a second.
MOST_HELD = 1 << 16

#: TYPE and STATE of what a marketplace offers: an image, and one that can be had.
APP_IMAGE, APP_READY = 1, 1


def obstacles(wanted: Mapping[Ref, Resource], steps: Sequence[Step], found: Found) -> Iterator[str]:
    """Why a plan cannot be carried out; nothing where it can."""
    yield from obstacles_of_version(wanted, found)
    yield from _unknown_names(wanted, found)
    yield from names_in_the_way(steps, found)
    yield from _shrinking(steps)
    yield from _apps(steps, found)
    yield from _leased(steps)
    yield from _too_many_to_hold(steps)
    yield from out_of_reach(steps, found)
    yield from _reserved_by_others(steps, found)
    yield from _backups(wanted, found)
    yield from _datastores_that_do_not_fit(wanted, found)
    yield from obstacles_of_restart(wanted, steps, found)
    yield from obstacles_apart(wanted, steps, found)


def _unknown_names(wanted: Mapping[Ref, Resource], found: Found) -> Iterator[str]:
    """Clusters and datastores that the file names and the cloud does not have."""
    named = {ref for resource in wanted.values() for ref in resource.refs}
    for ref in sorted(ref for ref in named if ref.kind in {"cluster", "datastore", "parent-network"}):
        if found.pools.named(NAMED[ref.kind], ref.key) is None:
            known = ", ".join(node.name for node in found.pools.nodes[NAMED[ref.kind]])
            yield f"there is no {ref.kind.replace('-', ' ')} {ref.key!r} in this cloud (there are: {known})"


def _shrinking(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        for change in step.changes:
            shrinks = change.field == "size" and change.new < change.old
            if (step.action, step.kind) == ("update", "archive") and shrinks:
                yield f"{step.name} cannot shrink from {change.old} to {change.new}: a disk only grows"


def _apps(steps: Sequence[Step], found: Found) -> Iterator[str]:
    """Appliances of marketplaces that cannot be imported."""
    for step in steps:
        app = getattr(step.declared.spec, "app", None) if step.declared and step.action == "create" else None
        if app is not None:
            yield from _app(app.key, [node for node in found.pools.apps if node.name == app.key])


def _app(name: str, offered: Sequence[Node]) -> Iterator[str]:
    place = offered[0].text("MARKETPLACE") if offered else ""
    if not offered:
        yield f"no marketplace of this cloud offers {name!r} (onemarketapp list): give its name, or a path or a url"
    elif len(offered) > 1:
        yield f"{len(offered)} appliances of marketplaces are called {name!r}: give a path or a url"
    elif offered[0].number("TYPE") != APP_IMAGE:
        yield f"{name!r} in marketplace {place} is no image: name one, or give a path or a url"
    elif offered[0].number("STATE") != APP_READY:
        yield f"{name!r} in marketplace {place} is not READY: see onemarketapp show {offered[0].id}"


def _backups(wanted: Mapping[Ref, Resource], found: Found) -> Iterator[str]:
    """Backups go to a backup datastore, and a VM is in one backup job only."""
    job = wanted.get(Ref("backup-job"))
    datastore = found.pools.named("datastore", job.spec.datastore.key) if job else None
    if job is None or datastore is None:
        return
    if datastore.number("TYPE") != BACKUP_DATASTORE:
        yield f"datastore {datastore.name} is none for backups: name one whose TYPE is BACKUP_DS"
    ours = {node.id for _, node in found.view.ours("backup-job")}
    for name, vm in found.view.appliances.items():
        other = vm.number("BACKUPS/BACKUP_CONFIG/BACKUP_JOB_ID")
        if Ref("appliance", name) in job.spec.vms and other in found.pools.by_id["backupjob"] and other not in ours:
            yield f"the appliance of {name} (VM {vm.id}) is in backup job {other} already: take it out there first"


def _datastores_that_do_not_fit(wanted: Mapping[Ref, Resource], found: Found) -> Iterator[str]:
    """Images that a system datastore's driver cannot take: OpenNebula lets such a VM wait for ever, without a word."""
    images = {each.spec.datastore for each in wanted.values() if each.ref.kind == "archive"}
    systems = {each.spec.system for each in wanted.values() if each.ref.kind == "template"}
    for first_ref, second_ref in product(sorted(images), sorted(systems)):
        image, system = (found.view.standing("datastore", ref) for ref in (first_ref, second_ref))
        how = system.text("TM_MAD") if system else ""
        if image is not None and how and how != image.text("TM_MAD") and not _takes(image, how):
            yield (
                f"VMs in datastore {second_ref.key} (TM_MAD {how}) cannot use images of {first_ref.key} "
                f"(TM_MAD {image.text('TM_MAD')}): they would wait for ever. Name datastores that belong together"
            )


def _takes(image: Node, how: str) -> bool:
    """Whether an image datastore says how its images get to a system datastore of another driver."""
    return f"CLONE_TARGET_{how.upper()}" in image.attributes()


def _reserved_by_others(steps: Sequence[Step], found: Found) -> Iterator[str]:
    """Addresses that cannot be reserved: the owner's network does not have them, or somebody else does."""
    from provision.kinds.network import leases_in, ranges_of

    for step in steps:
        spec = step.declared.spec if step.declared and step.kind == "network" and step.action == "create" else None
        parent = found.pools.named("vn", spec.parent.key) if spec and spec.parent else None
        if spec is None or parent is None:
            continue
        taken = (address for address, _ in leases_in(parent))
        free = without((spanning(*ends) for _, ends in ranges_of(parent)), taken)
        for each in spec.addresses:
            for missing in less([each], free)[:1]:
                yield (
                    f"{step.name}: {missing.first} cannot be reserved from {parent.name}: it is not among its "
                    "addresses, or somebody has it. Name other `addresses`"
                )


def _networks_changed(steps: Sequence[Step]) -> Iterator[tuple[Step, Existing, Network]]:
    """The steps that change a network where it stands: what is found, and what it shall be."""
    for step in steps:
        if step.kind == "network" and step.action == "update" and step.existing and step.declared:
            yield step, step.existing, step.declared.spec


def _too_many_to_hold(steps: Sequence[Step]) -> Iterator[str]:
    """Addresses that may no longer be handed out, of which each needs a call of its own."""
    for step, existing, spec in _networks_changed(steps):
        count = sum(len(each) for each in less(existing.spec.addresses, spec.addresses))
        if count > MOST_HELD:
            yield (
                f"{step.name}: {count} addresses would have to be held, one by one; at most {MOST_HELD} are. "
                "Take fewer away, or let `addresses` name those that may be handed out before the network is made"
            )


def _leased(steps: Sequence[Step]) -> Iterator[str]:
    """Addresses that a VM has and that may no longer be handed out."""
    from provision.kinds.network import HELD, leases_in

    for step, existing, spec in _networks_changed(steps):
        assert existing.node is not None
        for address, holder in leases_in(existing.node):
            if holder & HELD != HELD and not any(address in each for each in spec.addresses):
                yield f"{step.name}: {address} is leased to VM {holder & HELD}: free it before you take it away"
