"""Quotas of what runs in some clusters: a virtual machine counts to them from its first deployment there.

References: OpenNebula src/um/QuotaVirtualMachine.cc, src/rm/api/VirtualMachineAPI.cc `migrate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import quota
from emulator.objects import vm_history
from emulator.objects.vm_flow import charged
from emulator.objects.vm_state import DONE

if TYPE_CHECKING:
    from emulator.cloud import Cloud, Event
    from emulator.record import Body, Record
    from emulator.store import Store


def enter(store: Store, vm: Record, cluster_id: int) -> None:
    """Count a virtual machine to a cluster, and no more to the one in which it was.

    Raises
    ------
    Refused
        AUTHORIZATION, when its owner's quota for the cluster has no room for it.
    """
    old = int(vm.hidden.get("cluster", -1))
    if old == cluster_id:
        return
    amounts = _amounts(vm)
    quota.charge(store, vm.uid, vm.gid, quota.Usage("VM", "", amounts, cluster_id, only_cluster=True))
    if old >= 0:
        quota.release(store, vm.uid, vm.gid, quota.Usage("VM", "", amounts, old, only_cluster=True))
    store.edit(vm).hidden["cluster"] = cluster_id


def clustered(cloud: Cloud, oid: int, _arguments: Body) -> None:
    """A host is in another cluster, and with it what is on it; limits are not looked at."""
    host = cloud.store.get("host", oid)
    if host is None:
        return
    for vm in (cloud.store.get("vm", number) for number in host.body["VMS"].get("ID", [])):
        if vm is not None:
            vm_history.last(cloud.store.edit(vm))["CID"] = host.body["CLUSTER_ID"]
            vm.hidden["cluster"] = host.body["CLUSTER_ID"]
    for owner in (*cloud.store.all("user"), *cloud.store.all("group")):
        recount(cloud.store, owner)


def recount(store: Store, owner: Record) -> None:
    """Count what a user's or group's virtual machines use of quotas for clusters that may be new."""
    elements = owner.hidden.get("quotas", {}).get("VM", [])
    if any(one.get("CLUSTER_IDS") for one in elements):
        mine = [vm for vm in store.all("vm") if vm.state != DONE and _is_of(vm, owner)]
        store.edit(owner)
        quota.recount(elements, [(int(vm.hidden.get("cluster", -1)), _amounts(vm)) for vm in mine])


def _is_of(vm: Record, owner: Record) -> bool:
    return (vm.uid if owner.kind == "user" else vm.gid) == owner.oid


def _amounts(vm: Record) -> dict[str, float]:
    return next(usage.amounts for usage in charged(vm) if usage.section == "VM")


EVENTS: dict[str, Event] = {"host.clustered": clustered}
