"""Whether appliances can start again on another host, as declared, when theirs dies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.kinds.datastore import SYSTEM
from provision.kinds.host_hook import THE_HOOK, others
from provision.node import first
from provision.planning.resource import Ref

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from provision.node import Node
    from provision.planning.found import Found
    from provision.planning.resource import Resource
    from provision.planning.step import Step


def obstacles_of_restart(wanted: Mapping[Ref, Resource], steps: Sequence[Step], found: Found) -> Iterator[str]:
    """Why VMs could not start on another host, each with the alternative; nothing where they can."""
    if THE_HOOK not in wanted:
        return
    for name, transfer in _not_shared(wanted, found):
        yield (
            f"VMs cannot start on another host from datastore {name} (TM_MAD {transfer}), which hosts do not share: "
            "name or make a system datastore that is shared (NFS, Ceph, SAN), or leave out on_host_failure: then an "
            "appliance is away until its host is back"
        )
    for cluster in _named(wanted, found, "cluster", "cluster"):
        if len(cluster.ids("HOSTS")) < 2:
            yield f"cluster {cluster.name} has no other host to start a VM on: add one, or leave out on_host_failure"
    if any(step.kind == "host-hook" and step.action == "create" for step in steps):
        for hook in others(found.view):
            yield (
                f"hook {hook.name} (id {hook.id}) acts when a host fails already, and two would: delete it "
                f"(onehook delete {hook.id}), or leave out on_host_failure"
            )


def _not_shared(wanted: Mapping[Ref, Resource], found: Found) -> Iterator[tuple[str, str]]:
    """System datastores of which each host has its own: their names, and how disks get to them."""
    own = wanted.get(Ref(SYSTEM))
    if own is not None and not own.spec.shared:
        yield own.name, own.spec.transfer
    for datastore in _named(wanted, found, "system", "datastore") if own is None else ():
        if first(datastore.attributes(), "SHARED").upper() != "YES":
            yield datastore.name, datastore.text("TM_MAD")


def _named(wanted: Mapping[Ref, Resource], found: Found, field: str, pool: str) -> list[Node]:
    """What templates name, where it stands."""
    refs = {getattr(each.spec, field) for each in wanted.values() if each.ref.kind == "template"}
    nodes = (found.view.standing(pool, ref) for ref in sorted(refs))
    return [node for node in nodes if node is not None]


def conditions_of_restart(wanted: Mapping[Ref, Resource], found: Found) -> Iterator[str]:
    """What the hook needs of the hosts, and whom else it moves."""
    if THE_HOOK not in wanted:
        return
    yield "The hook for host failures acts for every VM of a failed host, the community's or not."
    clusters = {node.id for node in _named(wanted, found, "cluster", "cluster")}
    hosts = [node for node in found.pools.nodes["host"] if node.number("CLUSTER_ID") in clusters]
    unfenced = [node.name for node in hosts if not first(node.attributes(), "FENCE_IP")]
    if unfenced:
        yield (
            f"Hosts without FENCE_IP: {', '.join(unfenced)}. The hook cuts a failed host off before it starts its VMs "
            "elsewhere, and gives up where it cannot: set FENCE_IP, and fill in remotes/hooks/ft/fence_host.sh."
        )
