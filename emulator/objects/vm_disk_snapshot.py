"""Snapshots of a virtual machine's disk.

References: OpenNebula src/vm/Snapshots.cc, src/rm/api/VirtualMachineAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import quota
from emulator.errors import Code, Refused
from emulator.objects import vm_disk
from emulator.objects.vm_action import require_to
from emulator.objects.vm_disk_change import is_shared, wanted_disk
from emulator.objects.vm_hot import begin, require_state
from emulator.objects.vm_state import POWEROFF, SUSPENDED
from emulator.template import is_yes, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table

CREATE, DELETE, REVERT = 25, 26, 41


def groups(vm: Record) -> list[Body]:
    """The snapshots of all disks, a body a disk."""
    found: list[Body] = vm.body.get("SNAPSHOTS", [])
    return found


def of_disk(vm: Record, disk_id: int) -> Body:
    """The snapshots of a disk, made when there are none."""
    found: dict[str, str] | None = next((one for one in groups(vm) if one["DISK_ID"] == str(disk_id)), None)
    if found is None:
        found = {"ALLOW_ORPHANS": "YES", "CURRENT_BASE": "-1", "DISK_ID": str(disk_id), "NEXT_SNAPSHOT": "0"}
        vm_disk.keep_snapshots(vm, [*groups(vm), found])
    return found


def snapshots(group: Body) -> list[dict[str, str]]:
    """The snapshots of a group."""
    found: list[dict[str, str]] = group.setdefault("SNAPSHOT", [])
    return found


def wanted_snapshot(group: Body, number: int) -> dict[str, str]:
    """A snapshot by its id."""
    found: dict[str, str] | None = next((one for one in group.get("SNAPSHOT", []) if one["ID"] == str(number)), None)
    if found is None:
        raise Refused(Code.ACTION, "Snapshot does not exist")
    return found


def _total(disk: dict[str, str], group: Body) -> None:
    disk["DISK_SNAPSHOT_TOTAL_SIZE"] = str(sum(whole(one["SIZE"], 0) for one in snapshots(group)))


def usage_of(vm: Record, disk: dict[str, str], size: int) -> quota.Usage:
    """What a snapshot uses: it lies where its disk does, in the image's datastore or the system's."""
    if is_yes(disk.get("PERSISTENT")):
        return quota.Usage("DATASTORE", disk["DATASTORE_ID"], {"SIZE": size})
    return quota.of_machine(vm, {"SYSTEM_DISK_SIZE": size})


def count(call: Call, vm: Record, disk: dict[str, str], size: int) -> None:
    """Count a snapshot, or one less: to the image's owner where it lies in the image's datastore."""
    image = call.store.get("image", whole(disk.get("IMAGE_ID"))) if is_yes(disk.get("PERSISTENT")) else None
    owner = image or vm
    if size < 0:
        quota.release(call.store, owner.uid, owner.gid, usage_of(vm, disk, -size))
    else:
        quota.charge(call.store, owner.uid, owner.gid, usage_of(vm, disk, size))
    if image is not None:
        call.store.edit(image).hidden["snapshots"] = image.hidden.get("snapshots", 0) + size


def create(call: Call, oid: int, disk_id: int, name: str) -> int:
    """Take a snapshot."""
    vm = call.get("vm", oid)
    require_to(call, vm, "disk-snapshot")
    disk = wanted_disk(vm, disk_id)
    if is_shared(disk):
        raise Refused(Code.ACTION, "Cannot take snapshots of FILESYSTEM disks")
    require_state(vm, f"Could not create a new snapshot for VM {oid}", POWEROFF, SUSPENDED)
    size = whole(disk.get("SIZE"), 0)
    count(call, vm, disk, size)
    group = of_disk(call.store.edit(vm), disk_id)
    number = int(group["NEXT_SNAPSHOT"])
    for one in snapshots(group):
        one.pop("ACTIVE", None)
    made = {"ACTIVE": "YES", "DATE": str(call.cloud.clock.seconds()), "ID": str(number), "NAME": name}
    snapshots(group).append({**made, "PARENT": "-1", "SIZE": str(size)})
    group["NEXT_SNAPSHOT"] = str(number + 1)
    _total(disk, group)
    begin(call, vm, "DISK_SNAPSHOT", CREATE, lcm_off="DISK_SNAPSHOT_POWEROFF")
    return number


def _found(call: Call, oid: int, disk_id: int, number: int) -> tuple[Record, dict[str, str], Body, dict[str, str]]:
    vm = call.get("vm", oid)
    require_to(call, vm, "disk-snapshot")
    disk = wanted_disk(vm, disk_id)
    group = next((one for one in groups(vm) if one["DISK_ID"] == str(disk_id)), {})
    return vm, disk, group, wanted_snapshot(group, number)


def delete(call: Call, oid: int, disk_id: int, number: int) -> int:
    """Delete a snapshot."""
    vm, disk, group, snapshot = _found(call, oid, disk_id, number)
    require_state(vm, f"Could not delete disk snapshot for VM {oid}", POWEROFF, SUSPENDED)
    count(call, vm, disk, -whole(snapshot["SIZE"], 0))
    call.store.edit(vm)
    snapshots(group).remove(snapshot)
    _total(disk, group)
    if not snapshots(group):
        vm_disk.keep_snapshots(vm, [one for one in groups(vm) if one is not group])
    begin(call, vm, "DISK_SNAPSHOT_DELETE", DELETE, lcm_off="DISK_SNAPSHOT_DELETE_POWEROFF")
    return oid


def revert(call: Call, oid: int, disk_id: int, number: int) -> int:
    """Go back to a snapshot."""
    vm, _disk, group, snapshot = _found(call, oid, disk_id, number)
    require_state(vm, f"Could not revert to disk snapshot for VM {oid}", POWEROFF, SUSPENDED)
    call.store.edit(vm)
    for one in snapshots(group):
        one.pop("ACTIVE", None)
    place = snapshots(group).index(snapshot)
    snapshots(group)[place] = {"ACTIVE": "YES", **snapshot}
    begin(call, vm, "DISK_SNAPSHOT_REVERT", REVERT, lcm_off="DISK_SNAPSHOT_REVERT_POWEROFF")
    return oid


def rename(call: Call, oid: int, disk_id: int, number: int, name: str) -> int:
    """Call a snapshot something else."""
    vm, _disk, _group, snapshot = _found(call, oid, disk_id, number)
    call.store.edit(vm)
    snapshot["NAME"] = name
    return oid


TABLE: Table = {
    "one.vm.disksnapshotcreate": create,
    "one.vm.disksnapshotdelete": delete,
    "one.vm.disksnapshotrevert": revert,
    "one.vm.disksnapshotrename": rename,
}
