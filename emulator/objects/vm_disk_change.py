"""Changing the disks of a virtual machine: attaching, detaching, growing, saving as an image.

References: OpenNebula src/rm/api/VirtualMachineAPI.cc, src/dm/DispatchManagerActions.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import quota
from emulator.access import create, require, use
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects import vm_disk, vm_guest, vm_history
from emulator.objects.image import TYPES, begin_copy, charge, check_space, new_image
from emulator.objects.requirement import clusters_of
from emulator.objects.vm import check_restricted
from emulator.objects.vm_action import require_to
from emulator.objects.vm_hot import begin, require_state
from emulator.objects.vm_state import POWEROFF, SUSPENDED, UNDEPLOYED
from emulator.template import parse, vectors, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table

ATTACH, DETACH, RESIZE = 21, 22, 29


def disk_of(vm: Record, disk_id: int) -> dict[str, str] | None:
    """A disk by its id."""
    return next((one for one in vectors(vm.template, "DISK") if one.get("DISK_ID") == str(disk_id)), None)


def wanted_disk(vm: Record, disk_id: int) -> dict[str, str]:
    """A disk by its id.

    Raises
    ------
    Refused
        ACTION, when there is none.
    """
    disk = disk_of(vm, disk_id)
    if disk is None:
        raise Refused(Code.ACTION, "VM disk does not exist")
    return disk


def is_shared(disk: dict[str, str]) -> bool:
    """Whether a disk is a file system shared with the host."""
    return disk.get("TYPE") == "FILESYSTEM"


def attach(call: Call, oid: int, text: str) -> int:
    """Attach a disk."""
    vm = call.get("vm", oid)
    template = parse(text)
    disks = vectors(template, "DISK")
    require_to(call, vm, "disk-attach")
    check_restricted(call, template, "DISK")
    require(call, *vm_disk.wants(call, template, call.caller.uid))
    if not disks:
        raise Refused(Code.ACTION, "Internal error parsing DISK attribute")
    require_state(vm, f"Could not add a new disk to VM {oid}", POWEROFF)
    _attach(call, vm, disks[0])
    begin(call, vm, "HOTPLUG", ATTACH, lcm_off="HOTPLUG_PROLOG_POWEROFF")
    return oid


def _attach(call: Call, vm: Record, disk: dict[str, str]) -> None:
    present = vectors(vm.template, "DISK")
    context = vectors(vm.template, "CONTEXT")
    disk["DISK_ID"] = str(max((whole(one.get("DISK_ID")) for one in present + context), default=-1) + 1)
    try:
        datastores = vm_disk.complete(call, disk, vm.oid, call.caller.uid)
    except Refused as refused:
        raise Refused(Code.ACTION, refused.text) from refused
    if is_shared(disk):
        raise Refused(Code.ACTION, "Cannot attach FILESYSTEM disks")
    for number in datastores:
        _check_cluster(call, vm, disk, number)
    if not datastores:
        _place_volatile(call, vm, disk)
    elif vm_history.last(vm):
        disk["TM_MAD_SYSTEM"] = vm_history.last(vm)["TM_MAD"]
    for usage in _usages(vm, disk):
        quota.charge(call.store, vm.uid, vm.gid, usage)
    vm_disk.assign_targets(present + context, [], [disk])
    call.store.edit(vm).template.setdefault("DISK", []).append(disk)


def _check_cluster(call: Call, vm: Record, disk: dict[str, str], datastore_id: int) -> None:
    cluster = vm_history.last(vm).get("CID", next(iter(clusters_of(vm)), -1))
    if cluster not in call.get("datastore", datastore_id).body["CLUSTERS"].get("ID", []):
        raise Refused(Code.ACTION, f"Image [{disk['IMAGE_ID']}] is not part of cluster [{cluster}]")


def _place_volatile(call: Call, vm: Record, disk: dict[str, str]) -> None:
    """A disk that is made for the virtual machine lies in its system datastore."""
    datastore = call.store.get("datastore", vm_history.last(vm).get("DS_ID", -1))
    if datastore is not None:
        disk.update(vm_disk.from_system(datastore, disk))


def _usages(vm: Record, disk: dict[str, str]) -> list[quota.Usage]:
    images = [quota.Usage("IMAGE", disk["IMAGE_ID"], {"RVMS": 1})] if "IMAGE_ID" in disk else []
    return [*images, quota.of_machine(vm, {"SYSTEM_DISK_SIZE": vm_disk.system_size([disk], snapshots=True)})]


def detach(call: Call, oid: int, disk_id: int) -> int:
    """Detach a disk."""
    vm = call.get("vm", oid)
    require_to(call, vm, "disk-attach")
    require_state(vm, f"Could not detach disk from VM {oid}", POWEROFF)
    disk = wanted_disk(vm, disk_id)
    if is_shared(disk):
        raise Refused(Code.ACTION, "Cannot detach FILESYSTEM disks")
    call.store.edit(vm).template["DISK"].remove(disk)
    group: Body = next((one for one in vm.body.get("SNAPSHOTS", []) if one["DISK_ID"] == disk["DISK_ID"]), {})
    vm_disk.release(call.store, disk, oid, group)
    vm_disk.keep_snapshots(vm, [one for one in vm.body.get("SNAPSHOTS", []) if one is not group])
    for usage in _usages(vm, disk):
        quota.release(call.store, vm.uid, vm.gid, usage)
    begin(call, vm, "HOTPLUG", DETACH, lcm_off="HOTPLUG_EPILOG_POWEROFF")
    return oid


def resize(call: Call, oid: int, disk_id: int, size: str) -> int:
    """Let a disk grow, to a size in MiB."""
    vm = call.get("vm", oid)
    require_to(call, vm, "disk-resize")
    disk = wanted_disk(vm, disk_id)
    if is_shared(disk):
        raise Refused(Code.ACTION, "Cannot resize FILESYSTEM disks")
    if whole(size) <= whole(disk.get("SIZE"), 0):
        raise Refused(Code.ACTION, "New disk size has to be greater than current one")
    require_state(vm, f"Could not resize disk for VM {oid}", POWEROFF, UNDEPLOYED)
    growth = whole(size) - whole(disk.get("SIZE"), 0)
    quota.charge(call.store, vm.uid, vm.gid, _growth(vm, disk, growth))
    disk["SIZE"] = str(whole(size))
    _resize_image(call, disk, growth)
    vm_guest.change(call.cloud, vm)
    begin(call, vm, "DISK_RESIZE", RESIZE, lcm_off="DISK_RESIZE_POWEROFF")
    return oid


def _growth(vm: Record, disk: dict[str, str], growth: int) -> quota.Usage:
    if disk.get("PERSISTENT") == "YES":
        return quota.Usage("DATASTORE", disk["DATASTORE_ID"], {"SIZE": growth})
    return quota.of_machine(vm, {"SYSTEM_DISK_SIZE": growth})


def _resize_image(call: Call, disk: dict[str, str], growth: int) -> None:
    image = call.store.get("image", whole(disk.get("IMAGE_ID"))) if disk.get("PERSISTENT") == "YES" else None
    if image is not None:
        call.store.edit(image).body["SIZE"] += growth


def saveas(call: Call, oid: int, disk_id: int, name: str, kind: str = "", snapshot: int = -1) -> int:  # noqa: ARG001  (an API's parameter)
    """Copy a disk into a new image."""
    vm = call.get("vm", oid)
    require_to(call, vm, "disk-saveas")
    disk = disk_of(vm, disk_id)
    if disk is None:
        raise Refused(Code.INTERNAL, "Cannot use DISK. DISK does not exist.", oid)
    if is_shared(disk):
        raise Refused(Code.INTERNAL, "Cannot use DISK. FILESYSTEM disks cannot be saved.", oid)
    require_state(vm, "Can not save_as disk", POWEROFF, SUSPENDED)
    source = call.get("image", whole(disk.get("IMAGE_ID")))
    datastore = call.get("datastore", source.body["DATASTORE_ID"])
    require(call, create("image", call.caller.gid), use(datastore))
    check_space(datastore, whole(disk["SIZE"]), skip=False)
    charge(call, datastore.oid, whole(disk["SIZE"]))
    check_name(call.store, "image", name, call.caller.uid)
    image = _saved(call, vm, disk, source, name, kind)
    image.hidden["lost"] = not call.cloud.driver.needs_folder  # no guest, so no content to copy
    begin_copy(call, image, datastore)
    begin(call, vm, "HOTPLUG_SAVEAS", lcm_off="HOTPLUG_SAVEAS_POWEROFF")
    return image.oid


def _saved(call: Call, vm: Record, disk: dict[str, str], source: Record, name: str, kind: str) -> Record:
    number = TYPES.index(kind.upper()) if kind.upper() in TYPES else source.body["TYPE"]
    template: Body = {"DEV_PREFIX": [source.attribute("DEV_PREFIX")]}
    template |= {"SAVED_DISK_ID": [disk["DISK_ID"]], "SAVED_IMAGE_ID": [str(source.oid)], "SAVED_VM_ID": [str(vm.oid)]}
    parts = {"PATH": "", "SOURCE": "", "FORMAT": source.body["FORMAT"], "FS": source.body["FS"]}
    datastore = call.get("datastore", source.body["DATASTORE_ID"])
    return new_image(call, name, number, datastore, template, size=whole(disk["SIZE"]), persistent=False, parts=parts)


TABLE: Table = {
    "one.vm.attach": attach,
    "one.vm.detach": detach,
    "one.vm.diskresize": resize,
    "one.vm.disksaveas": saveas,
}
