"""A branch's virtual data centre: the hosts and datastores that its group may use, and no network of another branch."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from provision.errors import CloudError
from provision.kind import Kind, marking, renaming
from provision.kinds.datastore import images_of, system_of
from provision.planning.marks import mark_in, object_name
from provision.planning.resource import Existing, Ref, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.kind import Act, Setter
    from provision.node import Node
    from provision.planning.view import View

#: The VDC that every new group is put into, and that gives it every cluster.
DEFAULT_VDC = 0

#: What OpenNebula says when a membership is as it should be.
ALREADY = re.compile("already assigned to the VDC|not assigned to the VDC")

#: Field to where a VDC tells what it holds, the tag of the id there, the pool of it, and the end of the calls.
HELD = {
    "hosts": ("HOSTS/HOST", "HOST_ID", "host", "host"),
    "datastores": ("DATASTORES/DATASTORE", "DATASTORE_ID", "datastore", "datastore"),
    "clusters": ("CLUSTERS/CLUSTER", "CLUSTER_ID", "cluster", "cluster"),
    "networks": ("VNETS/VNET", "VNET_ID", "vn", "vnet"),
}


@dataclass(frozen=True)
class Vdc:
    """How a VDC is.

    Attributes
    ----------
    groups
        The branch's own.
    datastores
        What its people's images and disks may lie in; never the exchange, from which any outbox could be had.
    isolated
        Whether its group is not in the default VDC.
    hosts
        Those of the community's cluster, one by one.
    clusters, networks
        None: with a cluster its group would be given every network and datastore in it.
    cluster
        Where the hosts are looked for.
    """

    groups: frozenset[Ref]
    datastores: frozenset[Ref]
    isolated: bool
    hosts: frozenset[Ref] = frozenset()
    clusters: frozenset[Ref] = frozenset()
    networks: frozenset[Ref] = frozenset()
    cluster: Ref | None = field(default=None, compare=False)


def declared(community: Community) -> Iterator[Resource]:
    """A VDC for each branch."""
    spec = Vdc(
        groups=frozenset(),
        datastores=frozenset({images_of(community), system_of(community)}),
        isolated=True,
        cluster=Ref("cluster", community.cloud.cluster),
    )
    for name in community.branches:
        own = replace(spec, groups=frozenset({Ref("group", name)}))
        yield Resource(Ref("vdc", name), object_name(community.community, name), own)


def narrowed(resource: Resource, view: View) -> Resource:
    """The same with the hosts that the community's cluster has."""
    spec: Vdc = resource.spec
    cluster = view.pools.named("cluster", spec.cluster.key) if spec.cluster else None
    hosts = frozenset(view.ref("host", number) for number in (cluster.ids("HOSTS") if cluster else ()))
    return replace(resource, spec=replace(spec, hosts=hosts))


def found(view: View) -> Iterator[Existing]:
    """The VDCs that stand."""
    default = view.pools.by_id["vdc"][DEFAULT_VDC].ids("GROUPS")
    for key, node in view.vdcs.items():
        held: dict[str, Any] = {name: frozenset(_held(view, node, name)) for name in HELD}
        groups = frozenset(view.ref("group", number) for number in node.ids("GROUPS"))
        isolated = key in view.groups and view.groups[key].id not in default  # one that is made anew begins in there
        spec = Vdc(groups=groups, isolated=isolated, **held)
        mark = mark_in(node.attributes())
        yield Existing(Ref("vdc", key), node.name, spec, node.id, mark.key if mark else None, node)


def _held(view: View, node: Node, name: str) -> Iterator[Ref]:
    path, tag, pool, _ = HELD[name]
    for each in node.children(path):
        yield view.ref(pool, each.number(tag))


def create(act: Act, resource: Resource) -> int:
    """Make the VDC, with its mark."""
    return int(act.call("vdc.allocate", act.text("vdc", resource)))


def set_groups(act: Act, resource: Resource, number: int, found: Existing | None) -> None:
    """Put the branch's group in, and any other out."""
    before: frozenset[Ref] = found.spec.groups if found else frozenset()
    for ref in sorted(resource.spec.groups - before):
        _call(act, "vdc.addgroup", number, act.id_of(ref))
    for ref in sorted(before - resource.spec.groups):
        _call(act, "vdc.delgroup", number, act.id_of(ref))


def holding(name: str) -> Setter:
    """What takes out of a VDC what it should not hold of a kind, then puts in what it should: "all" gives way first."""
    path, tag, _, call = HELD[name]

    def hold(act: Act, resource: Resource, number: int, found: Existing | None) -> None:
        before: frozenset[Ref] = getattr(found.spec, name) if found else frozenset()
        after: frozenset[Ref] = getattr(resource.spec, name)
        held = {each.number(tag) for each in found.node.children(path)} if found and found.node is not None else ()
        for ref in sorted(before - after):
            _call(act, f"vdc.del{call}", number, act.zone, act.id_of(ref))
        for ref in sorted(after):
            if act.id_of(ref) not in held:  # new to the VDC, or made anew
                _call(act, f"vdc.add{call}", number, act.zone, act.id_of(ref))

    return hold


def isolate(act: Act, resource: Resource, _number: int, _found: Existing | None) -> None:
    """Take the branch's group out of the default VDC."""
    for ref in resource.spec.groups:
        _call(act, "vdc.delgroup", DEFAULT_VDC, act.id_of(ref))


def remove(act: Act, found: Existing) -> None:
    """Delete the VDC; the rules that it made go with it."""
    act.call("vdc.delete", found.id)


def _call(act: Act, method: str, *arguments: int) -> None:
    """Make a call whose aim may be reached already; that it is, is read back."""
    try:
        act.call(method, *arguments)
    except CloudError as error:
        if not ALREADY.search(error.words):
            raise


KIND = Kind(
    name="vdc",
    declared=declared,
    found=found,
    create=create,
    in_place={
        "key": marking("vdc"),
        "name": renaming("vdc"),
        "groups": set_groups,
        "isolated": isolate,
        **{name: holding(name) for name in HELD},
    },
    later=("groups", "isolated", "hosts", "datastores"),
    narrowed=narrowed,
    remove=remove,
)
