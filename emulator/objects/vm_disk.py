"""Disks of virtual machines: which image each one is, how it is attached, and giving it back.

References: OpenNebula src/vm/VirtualMachineDisk.cc, src/image/ImageManagerActions.cc `acquire_image`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.access import use
from emulator.document import ids
from emulator.errors import Code, Refused
from emulator.objects.image import (
    CDROM,
    DATABLOCK,
    ERROR,
    FILESYSTEM,
    LOCKED,
    LOCKED_USED,
    LOCKED_USED_PERS,
    OS,
    READY,
    STATE_WORDS,
    TYPES,
    USED,
    USED_PERS,
    set_state,
)
from emulator.objects.image_snapshot import carried_back
from emulator.template import is_yes, vectors, whole

if TYPE_CHECKING:
    from emulator.access import Want
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.store import Store

Disk = dict[str, str]
DISK_TYPES = {0: "FILE", 1: "CDROM", 2: "BLOCK", 3: "RBD", 10: "FILESYSTEM"}
DATASTORE_KEYS = ("ALLOW_ORPHANS", "CLONE_TARGET", "LN_TARGET", "PERSISTENT_SNAPSHOTS")


def image_of(call: Call, disk: Disk, uid: int) -> Record:
    """The image that a disk asks for, by id or by name and owner.

    Raises
    ------
    Refused
        INTERNAL, when there is none.
    """
    if "IMAGE_ID" in disk:
        number = whole(disk["IMAGE_ID"])
        image = call.store.get("image", number)
        if image is None:
            raise Refused(Code.INTERNAL, f"Image with ID: {number} does not exist")
        return image
    owner = _owner(call, disk, uid)
    name = disk["IMAGE"]
    found = next((one for one in call.store.all("image") if one.name == name and one.uid == owner), None)
    if found is None:
        text = f"User {owner} does not own an image with name: {name} . Set IMAGE_UNAME or IMAGE_UID of owner in DISK."
        raise Refused(Code.INTERNAL, text)
    return found


def _owner(call: Call, disk: Disk, uid: int) -> int:
    if "IMAGE_UID" in disk:
        return whole(disk["IMAGE_UID"])
    name = disk.get("IMAGE_UNAME")
    user = next((one for one in call.store.all("user") if one.name == name), None) if name else None
    return user.oid if user else uid


def has_image(disk: Disk) -> bool:
    """Whether a disk is an image, and not made for the virtual machine."""
    return "IMAGE_ID" in disk or "IMAGE" in disk


def wants(call: Call, template: Body, uid: int) -> list[Want]:
    """The rights that the disks of a template need."""
    found = []
    for disk in vectors(template, "DISK"):
        if has_image(disk):
            try:
                found.append(use(image_of(call, disk, uid)))
            except Refused:
                continue  # said later, with the disk's number
    return found


def build(call: Call, template: Body, vm_id: int, uid: int) -> list[int]:
    """Complete the disks of a template, and take their images; ids of datastores that are touched."""
    touched = []
    for number, disk in enumerate(vectors(template, "DISK")):
        disk["DISK_ID"] = str(number)
        try:
            touched += complete(call, disk, vm_id, uid)
        except Refused as refused:
            raise Refused(refused.code, f"DISK {number}: {refused.text}") from refused
    assign_targets(vectors(template, "DISK"), vectors(template, "CONTEXT"), vectors(template, "DISK"))
    return touched


def complete(call: Call, disk: Disk, vm_id: int, uid: int) -> list[int]:
    """Complete one disk; the ids of its datastore, if it has one."""
    if not has_image(disk):
        _complete_volatile(call, disk)
        return []
    image = image_of(call, disk, uid)
    acquire(call, image, vm_id)
    datastore = call.get("datastore", image.body["DATASTORE_ID"])
    disk.update(_from_image(image, datastore, disk))
    return [datastore.oid]


def describe(call: Call, disk: Disk, number: int, uid: int) -> None:
    """Complete a disk without taking its image."""
    disk["DISK_ID"] = str(number)
    if has_image(disk):
        image = image_of(call, disk, uid)
        disk.update(_from_image(image, call.get("datastore", image.body["DATASTORE_ID"]), disk))
    else:
        _complete_volatile(call, disk)


def acquire(call: Call, image: Record, vm_id: int) -> None:
    """Take an image for a virtual machine.

    Raises
    ------
    Refused
        INTERNAL, when it is not ready, or is persistent and in use.
    """
    words = f"Cannot acquire image {image.oid}, "
    if image.body["PERSISTENT"]:
        if image.state in {USED, USED_PERS, LOCKED_USED_PERS}:
            raise Refused(Code.INTERNAL, words + "it is persistent and already in use")
        states = {READY: USED_PERS, LOCKED: LOCKED_USED_PERS}
    else:
        states = {READY: USED, USED: USED, LOCKED: LOCKED_USED, LOCKED_USED: LOCKED_USED}
    if image.state not in states:
        raise Refused(Code.INTERNAL, f"{words}it is in state {STATE_WORDS[image.state]}")
    set_state(call.store, image, states[image.state])
    _count(image, vm_id, 1)


def _count(image: Record, vm_id: int, sign: int) -> None:
    body = image.body
    body["RUNNING_VMS"] += sign
    users = body["VMS"].get("ID", [])
    body["VMS"] = ids([*{*users, vm_id}]) if sign > 0 else ids([one for one in users if one != vm_id])


def keep_snapshots(vm: Record, all_groups: list[Body]) -> None:
    """Write the snapshots into the document, after the history, where OpenNebula has them."""
    body: dict[str, Any] = {}
    for name, value in vm.body.items():
        if name != "SNAPSHOTS":
            body[name] = value
        if name == "HISTORY_RECORDS" and all_groups:
            body["SNAPSHOTS"] = all_groups
    vm.body = body


def release(store: Store, disk: Disk, vm_id: int, snapshots: Body | None = None, *, failed: bool = False) -> None:
    """Give the image of a disk back, with the snapshots that the disk has; a persistent one in ERROR after a failure.

    References: OpenNebula src/image/ImageManagerActions.cc `release_image`.
    """
    image = store.get("image", whole(disk.get("IMAGE_ID")))
    if image is None or vm_id not in image.body["VMS"].get("ID", []):
        return
    _count(image, vm_id, -1)
    store.edit(image)
    if image.body["PERSISTENT"]:
        carried_back(image, snapshots or {})
    if failed and image.state in {USED_PERS, LOCKED_USED_PERS}:
        set_state(store, image, ERROR)
    elif image.body["RUNNING_VMS"] == 0 and image.state in {USED, USED_PERS}:
        set_state(store, image, READY)


def _from_image(image: Record, datastore: Record, disk: Disk) -> Disk:
    body, persistent = image.body, bool(image.body["PERSISTENT"])
    size = str(body["SIZE"])
    made = {
        **{key: datastore.attribute(key) for key in DATASTORE_KEYS},
        "CLONE": "NO" if persistent else "YES",
        "CLUSTER_ID": ",".join(map(str, datastore.body["CLUSTERS"].get("ID", []))),
        "DATASTORE": datastore.name,
        "DATASTORE_ID": str(datastore.oid),
        "DISK_SNAPSHOT_TOTAL_SIZE": str(_snapshots_size(image)),
        "DISK_TYPE": DISK_TYPES.get(body["DISK_TYPE"], "FILE"),
        "DRIVER": disk.get("DRIVER") or body["FORMAT"],
        "FORMAT": body["FORMAT"],
        "IMAGE": image.name,
        "IMAGE_ID": str(image.oid),
        "IMAGE_STATE": str(image.state),
        "ORIGINAL_SIZE": size,
        "READONLY": "NO",
        "SAVE": "YES" if persistent else "NO",
        "SIZE": disk.get("SIZE") or size,
        "SOURCE": body["SOURCE"],
        "TM_MAD": datastore.body["TM_MAD"],
        "TYPE": DISK_TYPES.get(body["DISK_TYPE"], "FILE"),
    }
    if persistent:
        made["PERSISTENT"] = "YES"
    made.update(_by_type(image, disk))
    return made


def _snapshots_size(image: Record) -> int:
    group = image.body["SNAPSHOTS"] if image.body["PERSISTENT"] else {}
    return sum(whole(one["SIZE"], 0) for one in group.get("SNAPSHOT", []))


def _by_type(image: Record, disk: Disk) -> Disk:
    kind = image.body["TYPE"]
    made: Disk = {}
    if kind in {OS, DATABLOCK}:
        made["DEV_PREFIX"] = disk.get("DEV_PREFIX") or image.attribute("DEV_PREFIX")
    if kind == CDROM:
        made.update({"TYPE": "CDROM", "READONLY": "YES", "CLONE": "NO", "DEV_PREFIX": disk.get("DEV_PREFIX") or "sd"})
    if kind == FILESYSTEM:
        made.update({"TYPE": "FILESYSTEM", "READONLY": _read_only(image, disk)})
        for key, default in (("MOUNT_TAG", f"one-tag-{image.oid}"), ("MOUNT_POINT", f"/mnt/one-fs-{image.oid}")):
            made[key] = disk.get(key) or image.attribute(key) or default
    return made


def _read_only(image: Record, disk: Disk) -> str:
    return "YES" if is_yes(disk.get("READONLY")) or is_yes(image.attribute("READONLY")) else "NO"


def from_system(datastore: Record, disk: Disk) -> Disk:
    """What a disk without image has of the system datastore that it lies in."""
    return {
        **{key: datastore.attribute(key) for key in ("ALLOW_ORPHANS", "PERSISTENT_SNAPSHOTS")},
        "CLUSTER_ID": ",".join(map(str, datastore.body["CLUSTERS"].get("ID", []))),
        "DATASTORE": datastore.name,
        "DATASTORE_ID": str(datastore.oid),
        "DRIVER": disk.get("DRIVER") or disk.get("FORMAT", "raw"),
        "TM_MAD": datastore.body["TM_MAD"],
        "TM_MAD_SYSTEM": datastore.body["TM_MAD"],
    }


def _complete_volatile(call: Call, disk: Disk) -> None:
    if not disk.get("TYPE") or not disk.get("SIZE", "").isdigit():
        raise Refused(Code.INTERNAL, "Volatile disk is missing TYPE or SIZE")
    kind = disk["TYPE"].upper()
    if kind not in {"FS", "SWAP"}:
        raise Refused(Code.INTERNAL, f"Unknown volatile disk type {disk['TYPE']}")
    disk.setdefault("DEV_PREFIX", call.cloud.configuration.text("DEFAULT_DEVICE_PREFIX"))
    disk.update({"TYPE": disk["TYPE"].lower(), "DISK_TYPE": "FILE"})
    if kind == "SWAP":
        disk.setdefault("FORMAT", "raw")


def assign_targets(all_disks: list[Disk], context: list[Disk], wanted: list[Disk]) -> None:
    """Give the wanted disks, and the context, device names: system first, then CD-ROMs, then data."""
    used = {disk["TARGET"] for disk in all_disks if disk.get("TARGET")}
    order = sorted((disk for disk in wanted if disk.get("TYPE") != "FILESYSTEM" and not disk.get("TARGET")), key=_turn)
    cd_roms = [disk for disk in order if _turn(disk) < 2]
    data = [disk for disk in order if _turn(disk) >= 2]
    for disk in cd_roms:
        _assign(disk, disk["DEV_PREFIX"], used)
    for disc in context:
        if not disc.get("TARGET"):
            _assign(disc, "sd", used)
    for disk in data:
        _assign(disk, disk["DEV_PREFIX"], used)


def _turn(disk: Disk) -> int:
    if disk.get("TYPE") == "CDROM":
        return 1
    return 0 if has_image(disk) and not disk.get("IMAGE_TYPE") and disk.get("DISK_ID") == "0" else 2


def _assign(disk: Disk, prefix: str, used: set[str]) -> None:
    letter = next(letter for letter in "abcdefghijklmnopqrstuvwxyz" if f"{prefix}{letter}" not in used)
    disk["TARGET"] = f"{prefix}{letter}"
    used.add(disk["TARGET"])


def system_size(disks: list[Disk], *, snapshots: bool = False) -> int:
    """MiB that disks take in the system datastore: copies and volatile ones, not shared or persistent ones."""
    return sum(
        whole(disk.get("SIZE"), 0) + (whole(disk.get("DISK_SNAPSHOT_TOTAL_SIZE"), 0) if snapshots else 0)
        for disk in disks
        if not is_yes(disk.get("PERSISTENT")) and disk.get("TYPE") not in {"CDROM", "FILESYSTEM"}
    )


def type_of(call: Call, disk: Disk) -> str:
    """OS, DATABLOCK, FILESYSTEM...; VOLATILE for a disk without image."""
    image = call.store.get("image", whole(disk.get("IMAGE_ID"))) if has_image(disk) else None
    return TYPES[image.body["TYPE"]] if image else "VOLATILE"
