"""Clusters: hosts, datastores and networks that belong together.

References: OpenNebula src/rm/api/ClusterAPI.cc, src/cluster/Cluster.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import admin, create, require
from emulator.acl import CLUSTER
from emulator.document import ids
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects.acl_rule import delete_rules
from emulator.objects.host_share import count_capacity
from emulator.objects.shared import info, rename, update, whole_pool
from emulator.objects.vdc import forget_everywhere

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Handler, Table
    from emulator.store import Store

FIRST_ID = 100
DEFAULT = 0
PLACES = {"host": "HOSTS", "datastore": "DATASTORES", "vn": "VNETS"}
WORDS = {"host": "hosts", "datastore": "datastores", "vn": "vnets"}


def new_cluster(store: Store, name: str, oid: int | None = None) -> Record:
    """A new, empty cluster."""
    if oid is None:
        oid = store.next_id("cluster", FIRST_ID)
    template: Body = {"RESERVED_CPU": [""], "RESERVED_MEM": [""]}
    places: Body = {place: {} for place in PLACES.values()}
    return store.add("cluster", oid, {"ID": oid, "NAME": name, **places, "TEMPLATE": template})


def members(cluster: Record, kind: str) -> list[int]:
    """Ids of what is in a cluster."""
    return list(cluster.body[PLACES[kind]].get("ID", []))


def join(store: Store, cluster: Record, kind: str, oid: int) -> None:
    """Put an object into a cluster's list."""
    store.edit(cluster).body[PLACES[kind]] = ids([*{*members(cluster, kind), oid}])


def leave(store: Store, cluster: Record, kind: str, oid: int) -> None:
    """Take an object out of a cluster's list."""
    store.edit(cluster).body[PLACES[kind]] = ids([one for one in members(cluster, kind) if one != oid])


def leave_all(store: Store, kind: str, oid: int) -> None:
    """Take a deleted object out of every cluster."""
    for cluster in store.all("cluster"):
        if oid in members(cluster, kind):
            leave(store, cluster, kind, oid)


def allocate(call: Call, name: str) -> int:
    """Make a cluster."""
    require(call, create("cluster"))
    check_name(call.store, "cluster", name)
    return new_cluster(call.store, name).oid


def delete(call: Call, oid: int) -> int:
    """Delete an empty cluster."""
    cluster = call.get("cluster", oid)
    require(call, admin(cluster))
    if oid < FIRST_ID:
        raise Refused(Code.ACTION, "Cannot delete cluster. System Clusters (ID < 100) cannot be deleted.")
    for kind, words in WORDS.items():
        count = len(members(cluster, kind))
        if count:
            text = f"Cannot delete cluster. Cluster {oid} is not empty, it contains {count} {words}."
            raise Refused(Code.ACTION, text)
    delete_rules(call.store, resource=CLUSTER | oid)
    forget_everywhere(call.store, "cluster", oid)
    call.store.remove(cluster)
    return oid


def _renamed(call: Call, cluster: Record) -> None:
    for oid in members(cluster, "host"):
        call.store.edit(call.get("host", oid)).body["CLUSTER"] = cluster.name


def _updated(call: Call, cluster: Record, _old: Body) -> None:
    for oid in members(cluster, "host"):
        count_capacity(call.store, call.get("host", oid))


def addhost(call: Call, oid: int, host_id: int) -> int:
    """Move a host into a cluster."""
    cluster, host = call.get("cluster", oid), call.get("host", host_id)
    require(call, admin(cluster), admin(host))
    move_host(call, host, cluster)
    return oid


def move_host(call: Call, host: Record, cluster: Record) -> None:
    """Move a host; it is in one cluster at a time, and what runs on it counts to that one."""
    store = call.store
    call.cloud.later(0.0, "host.clustered", host.oid)
    leave_all(store, "host", host.oid)
    join(store, cluster, "host", host.oid)
    store.edit(host).body.update({"CLUSTER_ID": cluster.oid, "CLUSTER": cluster.name})
    count_capacity(store, host)


def delhost(call: Call, oid: int, host_id: int) -> int:
    """Move a host into the default cluster, whichever it was in."""
    cluster, host = call.get("cluster", DEFAULT), call.get("host", host_id)
    require(call, admin(cluster), admin(host))
    move_host(call, host, cluster)
    return oid


def _add(kind: str) -> Handler:
    def answer(call: Call, oid: int, target: int) -> int:
        """Put an object into a cluster; it may be in several."""
        cluster, record = call.get("cluster", oid), call.get(kind, target)
        require(call, admin(cluster), admin(record))
        found = record.body["CLUSTERS"].get("ID", [])
        call.store.edit(record).body["CLUSTERS"] = ids([*{*found, oid}])
        join(call.store, cluster, kind, target)
        return oid

    return answer


def _delete(kind: str) -> Handler:
    def answer(call: Call, oid: int, target: int) -> int:
        """Take an object out of a cluster."""
        cluster, record = call.get("cluster", oid), call.get(kind, target)
        require(call, admin(cluster), admin(record))
        found = record.body["CLUSTERS"].get("ID", [])
        call.store.edit(record).body["CLUSTERS"] = ids([one for one in found if one != oid])
        leave(call.store, cluster, kind, target)
        return oid

    return answer


def optimize(call: Call, oid: int) -> int:
    """Ask for a plan of migrations; there is never anything to improve here."""
    call.get("cluster", oid)
    return oid


def planexecute(call: Call, oid: int) -> int:
    """Carry out the plan, which is never ready."""
    call.get("cluster", oid)
    raise Refused(Code.ACTION, "Plan is not ready")


def plandelete(call: Call, oid: int) -> int:
    """Delete the plan, which never exists."""
    call.get("cluster", oid)
    raise Refused(Code.ACTION, f"Plan for cluster {oid} does not exist")


TABLE: Table = {
    "one.cluster.allocate": allocate,
    "one.cluster.info": info("cluster"),
    "one.cluster.update": update("cluster", after=_updated, right=admin),
    "one.cluster.rename": rename("cluster", after=_renamed, right=admin),
    "one.cluster.delete": delete,
    "one.cluster.addhost": addhost,
    "one.cluster.delhost": delhost,
    "one.cluster.adddatastore": _add("datastore"),
    "one.cluster.deldatastore": _delete("datastore"),
    "one.cluster.addvnet": _add("vn"),
    "one.cluster.delvnet": _delete("vn"),
    "one.cluster.optimize": optimize,
    "one.cluster.planexecute": planexecute,
    "one.cluster.plandelete": plandelete,
    "one.clusterpool.info": whole_pool("cluster"),
}
