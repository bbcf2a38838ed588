"""Backups of virtual machines.

References: OpenNebula src/dm/DispatchManagerActions.cc `backup`, src/rm/api/VirtualMachineAPI.cc `restore`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from emulator.access import require, use
from emulator.call import Caller
from emulator.document import ids
from emulator.errors import Code, Refused
from emulator.objects import backup_content, vm_disk, vm_disk_snapshot
from emulator.objects.datastore import BACKUP_DS
from emulator.objects.image import BACKUP, READY, charge, new_image, set_state
from emulator.objects.vm_action import require_to
from emulator.objects.vm_hot import begin, note, require_state
from emulator.objects.vm_state import ACTIVE, LCM, POWEROFF
from emulator.template import vectors, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud, Event
    from emulator.record import Body, Record
    from emulator.registry import Table

BACKUP_ACTION, RESTORE_ACTION = 50, 60
DUMMY_SIZE = 1024
UNDER_BACKUP = (LCM["BACKUP"], LCM["BACKUP_POWEROFF"])


def backup(call: Call, oid: int, datastore_id: int = -1, reset: bool = False) -> int:  # noqa: ARG001 - an API's parameter
    """Back a virtual machine up."""
    vm = call.get("vm", oid)
    datastore = call.get("datastore", datastore_id)
    require_to(call, vm, "backup")
    require(call, use(datastore))
    if datastore.body["TYPE"] != BACKUP_DS:
        raise Refused(Code.ACTION, "Datastore needs to be of type BACKUP")
    begin_backup(call, vm, datastore)
    return oid


def begin_backup(call: Call, vm: Record, datastore: Record) -> None:
    """Let a virtual machine be under backup; its image is there when it is over."""
    disks = vectors(vm.template, "DISK")
    if any(disk.get("TYPE") == "FILESYSTEM" for disk in disks):
        raise Refused(Code.ACTION, "Cannot backup VM with FILESYSTEM disks")
    try:
        require_state(vm, f"Could not create a new backup for VM {vm.oid}", POWEROFF)
    except Refused as refused:
        raise Refused(Code.INTERNAL, refused.text) from refused
    charge(_as_owner(call.cloud, vm), datastore.oid, _size(vm, datastore))
    call.store.edit(vm).body["BACKUPS"]["BACKUP_CONFIG"]["LAST_DATASTORE_ID"] = str(datastore.oid)
    call.cloud.later(call.cloud.pace.vm_step_s, "vm.backed_up", vm.oid, datastore=datastore.oid)
    caller = call.caller
    who = {"UID": caller.uid, "GID": caller.gid, "REQUEST_ID": call.request_id}
    note(call.cloud, vm, BACKUP_ACTION, who, running=vm.state == ACTIVE)
    begin(call, vm, "BACKUP", lcm_off="BACKUP_POWEROFF")


def _size(vm: Record, datastore: Record) -> int:
    return DUMMY_SIZE if datastore.body["DS_MAD"] == "dummy" else vm_disk.system_size(vectors(vm.template, "DISK"))


def backed_up(cloud: Cloud, oid: int, arguments: Body) -> None:
    """A backup is over: here is its image, of the virtual machine's owner."""
    vm, datastore = cloud.store.get("vm", oid), cloud.store.get("datastore", arguments["datastore"])
    if vm is None or datastore is None:
        return
    backups = cloud.store.edit(vm).body["BACKUPS"]
    backups["BACKUP_CONFIG"].pop("LAST_DATASTORE_ID", None)
    image = _new_backup(cloud, vm, datastore)
    backup_content.keep(cloud, vm, image)
    backups["BACKUP_IDS"] = ids([*backups["BACKUP_IDS"].get("ID", []), image.oid])


def _as_owner(cloud: Cloud, vm: Record) -> Call:
    owner = Caller(vm.uid, vm.gid, frozenset({vm.gid}), vm.body["UNAME"], vm.body["GNAME"])
    return replace(cloud.as_administrator("backup"), caller=owner)


def _new_backup(cloud: Cloud, vm: Record, datastore: Record) -> Record:
    call = _as_owner(cloud, vm)
    name = time.strftime(f"{vm.oid} %d-%b %H.%M.%S", time.localtime(cloud.clock.now()))
    parts = {"PATH": "", "SOURCE": "dummy-backup-id", "FORMAT": "raw", "FS": ""}
    image = new_image(call, name, BACKUP, datastore, {}, size=_size(vm, datastore), persistent=True, parts=parts)
    set_state(cloud.store, image, READY)
    image.body.update({"RUNNING_VMS": 1, "VMS": ids([vm.oid])})
    kept = [disk for disk in vectors(vm.template, "DISK") if vm_disk.has_image(disk)]
    image.body["BACKUP_DISK_IDS"] = ids([whole(disk["DISK_ID"]) for disk in kept])
    return image


def cancel(call: Call, oid: int) -> int:
    """Stop a backup that is under way: OpenNebula asks its driver to, which still hands over what it has."""
    vm = call.get("vm", oid)
    require_to(call, vm, "backup")
    if vm.state != ACTIVE or vm.body["LCM_STATE"] not in UNDER_BACKUP:
        raise Refused(Code.INTERNAL, f"Could not cancel backup for VM {oid}, no backup in progress")
    return oid


def restore(call: Call, oid: int, image_id: int, increment: int = -1, disk_id: int = -1) -> int:  # noqa: ARG001 - an API's parameter
    """Bring a virtual machine's disks back from a backup."""
    vm, image = call.get("vm", oid), call.get("image", image_id)
    require_to(call, vm, "restore")
    require(call, use(image))
    if vm.state != POWEROFF:
        raise Refused(Code.ACTION, "Could not restore VM, it must be in poweroff")
    if image.oid not in vm.body["BACKUPS"]["BACKUP_IDS"].get("ID", []):
        raise Refused(Code.ACTION, f"Backup image [{image_id}] is not of VM [{oid}]")
    backup_content.bring_back(call.cloud, vm, image, disk_id)
    call.store.edit(vm).body.pop("SNAPSHOTS", None)
    for disk in vectors(vm.template, "DISK"):
        vm_disk_snapshot.count(call, vm, disk, -whole(disk.pop("DISK_SNAPSHOT_TOTAL_SIZE", ""), 0))
    begin(call, vm, "RESTORE", RESTORE_ACTION, lcm_off="RESTORE")
    return oid


TABLE: Table = {
    "one.vm.backup": backup,
    "one.vm.backupcancel": cancel,
    "one.vm.restore": restore,
}
EVENTS: dict[str, Event] = {"vm.backed_up": backed_up}
