"""Snapshots of a whole virtual machine, kept by its hypervisor.

References: OpenNebula src/dm/DispatchManagerActions.cc `snapshot_create`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.errors import Code, Refused
from emulator.objects import vm_disk
from emulator.objects.vm_action import require_to
from emulator.objects.vm_hot import begin, require_state
from emulator.template import vectors, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Record
    from emulator.registry import Table


def create(call: Call, oid: int, name: str) -> int:
    """Take a snapshot."""
    vm = call.get("vm", oid)
    require_to(call, vm, "snapshot")
    if any(disk.get("TYPE") == "FILESYSTEM" for disk in vectors(vm.template, "DISK")):
        raise Refused(Code.ACTION, "Cannot create snapshots of VMs with FILESYSTEM disks")
    require_state(vm, f"Could not create a new snapshot for VM {oid}")
    number = vm.hidden.get("next_snapshot", 0)
    vm.hidden["next_snapshot"] = number + 1
    made = {
        "HYPERVISOR_ID": f"{call.cloud.settings.driver}-snap".replace("none", "dummy"),
        "NAME": name or f"snapshot-{number}",
        "SNAPSHOT_ID": str(number),
        "SYSTEM_DISK_SIZE": str(_size(vm)),
        "TIME": str(call.cloud.clock.seconds()),
    }
    call.store.edit(vm).template.setdefault("SNAPSHOT", []).append(made)
    begin(call, vm, "HOTPLUG_SNAPSHOT")
    return int(number)


def _size(vm: Record) -> int:
    """What the copies of images take, with their own snapshots."""
    disks = [disk for disk in vectors(vm.template, "DISK") if vm_disk.has_image(disk)]
    return vm_disk.system_size(disks) + sum(whole(disk.get("DISK_SNAPSHOT_TOTAL_SIZE"), 0) for disk in disks)


def _found(vm: Record, number: int, words: str) -> dict[str, str]:
    found = next((one for one in vectors(vm.template, "SNAPSHOT") if one["SNAPSHOT_ID"] == str(number)), None)
    if found is None:
        raise Refused(Code.ACTION, f"{words}, it does not exist.")
    return found


def revert(call: Call, oid: int, number: int) -> int:
    """Go back to a snapshot."""
    vm = call.get("vm", oid)
    require_to(call, vm, "snapshot")
    _found(vm, number, f"Could not revert VM {oid} to snapshot {number}")
    require_state(vm, f"Could not revert VM {oid} to snapshot {number}")
    begin(call, vm, "HOTPLUG_SNAPSHOT")
    return oid


def delete(call: Call, oid: int, number: int) -> int:
    """Delete a snapshot."""
    vm = call.get("vm", oid)
    require_to(call, vm, "snapshot")
    found = _found(vm, number, f"Could not delete snapshot {number} for VM {oid}")
    require_state(vm, f"Could not delete snapshot {number} for VM {oid}")
    kept = [one for one in call.store.edit(vm).template.pop("SNAPSHOT") if one is not found]
    if kept:
        vm.template["SNAPSHOT"] = kept
    begin(call, vm, "HOTPLUG_SNAPSHOT")
    return oid


TABLE: Table = {
    "one.vm.snapshotcreate": create,
    "one.vm.snapshotrevert": revert,
    "one.vm.snapshotdelete": delete,
}
