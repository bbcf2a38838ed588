"""Changing the network interfaces of a virtual machine, and their security groups.

References: OpenNebula src/rm/api/VirtualMachineAPI.cc, src/vm/VirtualMachineNic.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import quota
from emulator.access import require, use
from emulator.errors import Code, Refused
from emulator.objects import vm_context, vm_history, vm_nic
from emulator.objects.requirement import clusters_of
from emulator.objects.vm import check_restricted
from emulator.objects.vm_action import require_to
from emulator.objects.vm_hot import begin, require_state
from emulator.objects.vm_state import POWEROFF
from emulator.template import parse, vectors, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Record
    from emulator.registry import Table

ATTACH, DETACH, ALIAS_ATTACH, ALIAS_DETACH, UPDATE = 23, 24, 46, 47, 51
Nic = dict[str, str]
# What an interface has from its lease and its network; only another lease changes it.
LEASED = frozenset(
    [
        "NIC_ID", "NETWORK", "NETWORK_ID", "NETWORK_MODE", "IP", "IP6", "IP6_GLOBAL", "IP6_ULA", "MAC", "AR_ID",
        "TARGET", "BRIDGE", "BRIDGE_TYPE", "VN_MAD", "PHYDEV", "VLAN_ID", "OUTER_VLAN_ID", "CLUSTER_ID",
        "SECURITY_GROUPS", "NAME", "PARENT", "PARENT_ID", "ALIAS_ID", "ALIAS_IDS", "VROUTER_IP", "VROUTER_MAC",
    ]
)  # fmt: skip


def nic_of(vm: Record, number: int) -> Nic | None:
    """An interface, or an alias, by its id."""
    return next((one for one in vm_nic.all_nics(vm.template) if one.get("NIC_ID") == str(number)), None)


def _check_own(vm: Record) -> None:
    if "VROUTER_ID" in vm.template:
        raise Refused(Code.ACTION, "Action is not supported for virtual router VMs")


def attach(call: Call, oid: int, text: str) -> int:
    """Attach an interface, or an alias of one."""
    vm = call.get("vm", oid)
    template = parse(text)
    require_to(call, vm, "nic-attach")
    _check_own(vm)
    check_restricted(call, template, "NIC")
    require(call, *vm_nic.wants(call, template, call.caller.uid))
    nics = [(key, nic) for key in ("NIC", "NIC_ALIAS") for nic in vectors(template, key)]
    if not nics:
        raise Refused(Code.ACTION, "Internal error parsing NIC attribute")
    attach_to(call, vm, *nics[0])
    return oid


def attach_to(call: Call, vm: Record, key: str, nic: Nic) -> None:
    """Attach a NIC or NIC_ALIAS, whoever asks for it."""
    require_state(vm, f"Could not add a new NIC to VM {vm.oid}", POWEROFF)
    _attach(call, vm, key, nic)
    begin(call, vm, "HOTPLUG_NIC", ALIAS_ATTACH if "PARENT_ID" in nic else ATTACH, lcm_off="HOTPLUG_NIC_POWEROFF")


def _attach(call: Call, vm: Record, key: str, nic: Nic) -> None:
    number = max((whole(one.get("NIC_ID")) for one in vm_nic.all_nics(vm.template)), default=-1) + 1
    parent = _parent(vm, nic) if key == "NIC_ALIAS" else None
    try:
        network = vm_nic.complete(call, nic, number, vm.oid, call.caller.uid, {})
    except Refused as refused:
        raise Refused(Code.ACTION, refused.text) from refused
    cluster = vm_history.last(vm).get("CID", next(iter(clusters_of(vm)), -1))
    if cluster not in network.body["CLUSTERS"].get("ID", []):
        raise Refused(Code.ACTION, f"Virtual network is not part of cluster [{cluster}]")
    quota.charge(call.store, vm.uid, vm.gid, quota.Usage("NETWORK", nic["NETWORK_ID"], {"LEASES": 1}))
    if parent is not None:
        vm_nic.make_alias(nic, parent)
    call.store.edit(vm).template.setdefault(key, []).append(nic)
    refresh(call, vm)


def _parent(vm: Record, nic: Nic) -> Nic:
    found = next((one for one in vectors(vm.template, "NIC") if one.get("NAME") == nic.get("PARENT")), None)
    if found is None:
        raise Refused(Code.ACTION, f"NIC_ALIAS parent {nic.get('PARENT', '')} does not exist")
    return found


def refresh(call: Call, vm: Record) -> None:
    """Write rules and CONTEXT anew, as the interfaces now are."""
    nics = vm_nic.all_nics(vm.template)
    vm_nic.count_in_groups(call.store, nics, vm.oid, present=True)
    rules = vm_nic.security_rules(call, nics)
    vm.template.pop("SECURITY_GROUP_RULE", None)
    if rules:
        vm.template["SECURITY_GROUP_RULE"] = list(rules)
    for context in vectors(vm.template, "CONTEXT"):
        vm_context.add_network(call, context, vm.template)


def detach(call: Call, oid: int, number: int) -> int:
    """Detach an interface with its aliases, or an alias."""
    vm = call.get("vm", oid)
    require_to(call, vm, "nic-attach")
    _check_own(vm)
    detach_from(call, vm, number)
    return oid


def detach_from(call: Call, vm: Record, number: int) -> None:
    """Detach an interface or an alias, whoever asks for it."""
    require_state(vm, f"Could not detach NIC from VM {vm.oid}", POWEROFF)
    nic = nic_of(vm, number)
    if nic is None:
        raise Refused(Code.ACTION, f"Could not detach NIC with NIC_ID {number}, it does not exist.")
    call.store.edit(vm)
    for one in [nic, *(alias for alias in vectors(vm.template, "NIC_ALIAS") if alias.get("PARENT_ID") == str(number))]:
        _drop(call, vm, one)
    refresh(call, vm)
    begin(call, vm, "HOTPLUG_NIC", ALIAS_DETACH if "PARENT_ID" in nic else DETACH, lcm_off="HOTPLUG_NIC_POWEROFF")


def _drop(call: Call, vm: Record, nic: Nic) -> None:
    vm_nic.count_in_groups(call.store, [nic], vm.oid, present=False)
    for key in ("NIC", "NIC_ALIAS"):
        kept = [one for one in vm.template.get(key, []) if one is not nic]
        vm.template.pop(key, None)
        if kept:
            vm.template[key] = kept
    vm_nic.release(call.store, nic, vm.oid)
    quota.release(call.store, vm.uid, vm.gid, quota.Usage("NETWORK", nic["NETWORK_ID"], {"LEASES": 1}))


def update(call: Call, oid: int, number: int, text: str, append: int = 0) -> int:  # noqa: ARG001  (an API's parameter)
    """Change an interface's limits."""
    vm = call.get("vm", oid)
    require_to(call, vm, "nic-attach")
    _check_own(vm)
    nic = nic_of(vm, number)
    if nic is None:
        raise Refused(Code.ACTION, f"VM {oid}: NIC {number} does not exists")
    require_state(vm, f"Could not update NIC of VM {oid}", POWEROFF)
    template = parse(text)
    check_restricted(call, template, "NIC")
    for asked in vectors(template, "NIC"):
        nic.update({key: value for key, value in asked.items() if key not in LEASED})
    begin(call, vm, "HOTPLUG_NIC", UPDATE, lcm_off="HOTPLUG_NIC_POWEROFF")
    return oid


def attach_group(call: Call, oid: int, number: int, group_id: int) -> int:
    """Add a security group to an interface."""
    vm = call.get("vm", oid)
    group = call.store.get("secgroup", group_id)
    require_to(call, vm, "sg-attach")
    _check_own(vm)
    if group is None:
        raise Refused(Code.ACTION, f"Could not attach SG {group_id} to VM, SG does not exist")
    require(call, use(group))
    nic = _nic_for_group(vm, number)
    held = vm_nic.group_ids(nic.get("SECURITY_GROUPS", ""))
    if group_id in held:
        raise Refused(Code.ACTION, f"VM {oid} SG {group_id} already in NIC {number}")
    _set_groups(call, vm, nic, [*held, group_id])
    return oid


def _nic_for_group(vm: Record, number: int) -> Nic:
    nic = nic_of(vm, number)
    if nic is None:
        raise Refused(Code.ACTION, f"VM {vm.oid}: NIC {number} does not exists")
    return nic


def _set_groups(call: Call, vm: Record, nic: Nic, groups: list[int]) -> None:
    vm_nic.count_in_groups(call.store, [nic], vm.oid, present=False)
    call.store.edit(vm)
    nic["SECURITY_GROUPS"] = ",".join(map(str, sorted(groups)))
    refresh(call, vm)
    begin(call, vm, "HOTPLUG_NIC", lcm_off="HOTPLUG_NIC_POWEROFF")


def detach_group(call: Call, oid: int, number: int, group_id: int) -> int:
    """Take a security group from an interface."""
    vm = call.get("vm", oid)
    require_to(call, vm, "sg-attach")
    _check_own(vm)
    nic = _nic_for_group(vm, number)
    held = vm_nic.group_ids(nic.get("SECURITY_GROUPS", ""))
    if group_id not in held:
        raise Refused(Code.ACTION, f"VM {oid} SG {group_id} not in NIC {number}")
    _set_groups(call, vm, nic, [one for one in held if one != group_id])
    return oid


TABLE: Table = {
    "one.vm.attachnic": attach,
    "one.vm.detachnic": detach,
    "one.vm.updatenic": update,
    "one.vm.attachsg": attach_group,
    "one.vm.detachsg": detach_group,
}
