"""Networks that the scheduler chooses, for interfaces with NETWORK_MODE="auto".

References: OpenNebula src/schedm/SchedulerManagerDriver.cc `match_networks`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from emulator import quota
from emulator.access import allowed, use
from emulator.call import Caller
from emulator.errors import Refused
from emulator.objects import vm_nic
from emulator.objects.address_range import free
from emulator.objects.network import ranges
from emulator.objects.requirement import WrongExpression, parsed
from emulator.objects.vm_nic_change import refresh
from emulator.template import vectors

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud
    from emulator.objects.vm_nic import Nic
    from emulator.record import Record


def open_nics(vm: Record) -> list[Nic]:
    """Interfaces that have no network yet."""
    return [nic for nic in vectors(vm.template, "NIC") if vm_nic.is_automatic(nic) and "NETWORK_ID" not in nic]


def connect(cloud: Cloud, vm: Record, cluster_id: int) -> str:
    """Give each open interface a network of a cluster; why one could not have any, "" where all have."""
    nics = open_nics(vm)
    if not nics:
        return ""
    call = _as_owner(cloud, vm)
    for nic in nics:
        why = _connect(call, cloud.store.edit(vm), nic, cluster_id)
        if why:
            return why
    refresh(call, vm)
    return ""


def _as_owner(cloud: Cloud, vm: Record) -> Call:
    user = cloud.store.get("user", vm.uid)
    groups = user.body["GROUPS"].get("ID", []) if user is not None else []
    owner = Caller(vm.uid, vm.gid, frozenset({vm.gid, *groups}), vm.body["UNAME"], vm.body["GNAME"])
    return replace(cloud.as_administrator("one.vm.deploy"), caller=owner)


def _connect(call: Call, vm: Record, nic: Nic, cluster_id: int) -> str:
    number = nic["NIC_ID"]
    try:
        meets = parsed(nic.get("SCHED_REQUIREMENTS", ""))
    except WrongExpression as wrong:
        return f"Error in SCHED_NIC_REQUIREMENTS in NIC {number}: '{nic['SCHED_REQUIREMENTS']}', error: {wrong}"
    usable = [one for one in call.store.all("vn") if call.caller.is_admin or allowed(call.store, call.caller, use(one))]
    if not usable:
        return f"User is not authorized to use any virtual network for NIC {number}"
    matching = [one for one in usable if _suits(one, cluster_id) and meets(partial(_values, one))]
    for network in sorted(matching, key=_free, reverse=True):
        if _lease(call, vm, nic, network):
            return ""
    return f"No virtual network meets SCHED_NIC_REQUIREMENTS for NIC {number}"


def _suits(network: Record, cluster_id: int) -> bool:
    return cluster_id in network.body["CLUSTERS"].get("ID", []) and _free(network) > 0


def _values(network: Record, name: str) -> list[str]:
    known = {"ID": [str(network.oid)], "NAME": [network.name], "USED_LEASES": [str(network.body["USED_LEASES"])]}
    clusters = [str(one) for one in network.body["CLUSTERS"].get("ID", [])]
    return {**known, "CLUSTERS/ID": clusters}.get(name) or list(filter(None, [network.attribute(name)]))


def _free(network: Record) -> int:
    return sum(free(one) for one in ranges(network))


def _lease(call: Call, vm: Record, nic: Nic, network: Record) -> bool:
    made = {**nic, "NETWORK_ID": str(network.oid)}
    try:
        quota.charge(call.store, vm.uid, vm.gid, quota.Usage("NETWORK", str(network.oid), {"LEASES": 1}))
        vm_nic.complete(call, made, int(nic["NIC_ID"]), vm.oid, vm.uid, {})
    except Refused:
        return False
    nic.update(made)
    return True
