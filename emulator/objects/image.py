"""Images: what disks are made of.

References: OpenNebula src/image/Image.cc, src/rm/api/ImageAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import quota
from emulator.access import create, manage, require, use
from emulator.document import ids
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects.datastore import BACKUP_DS, FILE_DS, IMAGE_DS, SYSTEM_DS
from emulator.objects.front_end_files import size_mib
from emulator.objects.market_file import app_of
from emulator.objects.ownership import chown, owner_body, permissions
from emulator.objects.shared import common, owned_pool, update
from emulator.template import first, is_yes, parse, restricted, take, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table
    from emulator.store import Store

OS, CDROM, DATABLOCK, KERNEL, RAMDISK, CONTEXT, BACKUP, FILESYSTEM = range(8)
TYPES = ("OS", "CDROM", "DATABLOCK", "KERNEL", "RAMDISK", "CONTEXT", "BACKUP", "FILESYSTEM")
FILES = {KERNEL, RAMDISK, CONTEXT}
DISKS = {OS, CDROM, DATABLOCK}
INIT, READY, USED, DISABLED, LOCKED, ERROR, CLONE, DELETE, USED_PERS, LOCKED_USED, LOCKED_USED_PERS = range(11)
STATE_WORDS = (
    "INIT", "READY", "USED", "DISABLED", "LOCKED", "ERROR", "CLONE", "DELETE", "USED", "LOCKED",
    "LOCKED",
)  # fmt: skip
WRONG_SIZE = "Cannot parse image SIZE: Wrong number or missing SIZE attribute."


def allocate(call: Call, text: str, datastore_id: int, skip_check: bool = False) -> int:
    """Register an image; it is LOCKED until the datastore has it."""
    template = parse(text)
    datastore = call.get("datastore", datastore_id)
    if datastore.body["TYPE"] in {SYSTEM_DS, BACKUP_DS}:
        words = "New images can only be allocated in a files or image datastore."
        raise Refused(Code.ALLOCATE, f"Error allocating a new image. {words}")
    app = app_of(call, template)
    size = app.body["SIZE"] if app is not None else _size(call, template)
    _check_restricted(call, template)
    require(call, create("image", call.caller.gid), use(datastore))
    check_space(datastore, size, skip=skip_check and call.caller.is_admin)
    charge(call, datastore_id, size)
    name = take(template, "NAME")
    check_name(call.store, "image", name, call.caller.uid)
    _check_persistent(datastore, template)
    image = _registered(call, template, datastore, name, size)
    if app is not None:
        image.hidden["app"] = app.oid
    begin_copy(call, image, datastore)
    return image.oid


def _check_restricted(call: Call, template: Body) -> None:
    found = restricted(template, call.cloud.configuration.texts("IMAGE_RESTRICTED_ATTR"))
    if found and not call.caller.is_admin:
        text = f"Template includes a restricted attribute {found}"
        raise Refused(Code.AUTHORIZATION, f"User [{call.caller.uid}] : {text}.")


def _check_persistent(datastore: Record, template: Body) -> None:
    if is_yes(datastore.attribute("PERSISTENT_ONLY")) and not is_yes(first(template, "PERSISTENT")):
        words = "This Datastore only accepts persistent images."
        raise Refused(Code.ALLOCATE, f"Error allocating a new image. {words}")


def begin_copy(call: Call, image: Record, datastore: Record) -> None:
    """Let the datastore's driver take an image; the dummy one takes no time."""
    delay_s = 0.0 if datastore.body["DS_MAD"] == "dummy" else call.cloud.pace.image_s
    call.cloud.later(delay_s, "image.copied", image.oid)


def _size(call: Call, template: Body) -> int:
    asked, path = first(template, "SIZE"), first(template, "PATH")
    if path and not asked:
        return size_mib(call.cloud, path)
    if not asked.isdigit():
        raise Refused(Code.INTERNAL, WRONG_SIZE)
    return int(asked)


def check_space(datastore: Record, size: int, *, skip: bool) -> None:
    """Let an image in only if it fits."""
    unchecked = first(datastore.template, "DATASTORE_CAPACITY_CHECK").upper() == "NO"
    if not skip and not unchecked and size > free_mib(datastore):
        raise Refused(Code.ACTION, "Not enough space in datastore")


def free_mib(datastore: Record) -> int:
    """Free space, within the limit that an administrator may have set."""
    free: int = datastore.body["FREE_MB"]
    limit = whole(first(datastore.template, "LIMIT_MB"), 0)
    return min(free, max(limit - datastore.body["USED_MB"], 0)) if limit > 0 else free


def charge(call: Call, datastore_id: int, size: int) -> None:
    """Count an image to its owner's quotas."""
    quota.charge(call.store, call.caller.uid, call.caller.gid, usage(datastore_id, size))


def whole_size(image: Record) -> int:
    """MiB that an image takes with its snapshots, those of a machine that has it now among them."""
    return int(image.body["SIZE"]) + int(image.hidden.get("snapshots", 0))


def usage(datastore_id: int, size: int) -> quota.Usage:
    """What an image uses of a datastore."""
    return quota.Usage("DATASTORE", str(datastore_id), {"IMAGES": 1, "SIZE": size})


def _registered(call: Call, template: Body, datastore: Record, name: str, size: int) -> Record:
    kind = _type(take(template, "TYPE").upper() or call.cloud.configuration.text("DEFAULT_IMAGE_TYPE"))
    _check_place(kind, datastore)
    persistent = is_yes(take(template, "PERSISTENT")) and kind not in FILES | {CDROM}
    if kind in {OS, DATABLOCK}:
        template.setdefault("DEV_PREFIX", [call.cloud.configuration.text("DEFAULT_DEVICE_PREFIX")])
    else:
        template.pop("DEV_PREFIX", None)
    parts = {key: take(template, key) for key in ("SIZE", "FS", "DRIVER", "PATH", "SOURCE", "FORMAT", "TM_MAD")}
    parts["FORMAT"] = _format(kind, parts, datastore)
    return new_image(call, name, kind, datastore, template, size=size, persistent=persistent, parts=parts)


def _type(word: str) -> int:
    if word not in TYPES:
        raise Refused(Code.ALLOCATE, "Error allocating a new image. Unknown type ")
    return TYPES.index(word)


def _check_place(kind: int, datastore: Record) -> None:
    """Files go into a files datastore, disks into an image datastore."""
    words = ""
    if datastore.body["TYPE"] == FILE_DS and kind not in FILES:
        words = "Only IMAGES of type KERNEL, RAMDISK and CONTEXT can be registered in a FILE_DS datastore"
    elif datastore.body["TYPE"] == IMAGE_DS and kind in FILES:
        words = "IMAGES of type KERNEL, RAMDISK and CONTEXT cannot be registered in an IMAGE_DS datastore"
    if words:
        raise Refused(Code.ALLOCATE, f"Error allocating a new image. {words}")


def _format(kind: int, parts: dict[str, str], datastore: Record) -> str:
    words = ""
    if parts["SOURCE"]:
        words = "PATH and SOURCE cannot be both set." if parts["PATH"] else ""
        words = words or ("" if parts["FORMAT"] else "SOURCE needs FORMAT to be set.")
        if not words:
            return parts["FORMAT"]
    elif parts["PATH"]:
        return ""
    elif kind in {OS, DATABLOCK}:
        return first(datastore.template, "DRIVER") or parts["FORMAT"] or "raw"
    elif kind == FILESYSTEM:
        return "dir"
    raise Refused(Code.ALLOCATE, f"Error allocating a new image. {words or 'No PATH nor SOURCE in template.'}")


def new_image(
    call: Call,
    name: str,
    kind: int,
    datastore: Record,
    template: Body,
    *,
    size: int,
    persistent: bool,
    parts: dict[str, str],
    cloning: int = -1,
) -> Record:
    """A new image, LOCKED."""
    oid, now = call.store.next_id("image"), call.cloud.clock.seconds()
    body = {
        **owner_body(call.caller, oid, name),
        "PERMISSIONS": permissions(),
        "TYPE": kind,
        "DISK_TYPE": 1 if kind == CDROM and datastore.body["DISK_TYPE"] == -1 else datastore.body["DISK_TYPE"],
        "PERSISTENT": int(persistent),
        "REGTIME": now,
        "MODTIME": now,
        "SOURCE": parts["SOURCE"],
        "PATH": parts["PATH"],
        "FORMAT": parts["FORMAT"],
        "FS": parts["FS"],
        "SIZE": size,
        "STATE": LOCKED,
        "PREV_STATE": INIT,
        "RUNNING_VMS": 0,
        "CLONING_OPS": 0,
        "CLONING_ID": cloning,
        "TARGET_SNAPSHOT": -1,
        "DATASTORE_ID": datastore.oid,
        "DATASTORE": datastore.name,
        **{key: {} for key in ("VMS", "CLONES", "APP_CLONES")},
        "TEMPLATE": template,
        "SNAPSHOTS": {"ALLOW_ORPHANS": "NO", "CURRENT_BASE": "-1", "NEXT_SNAPSHOT": "0"},
        "BACKUP_INCREMENTS": {},
        "BACKUP_DISK_IDS": {},
    }
    place = call.store.edit(datastore).body
    place["IMAGES"] = ids([*place["IMAGES"].get("ID", []), oid])
    return call.store.add("image", oid, body)


def set_state(store: Store, image: Record, state: int) -> None:
    """Let an image be in another state."""
    store.edit(image).body.update({"STATE": state, "PREV_STATE": state})


def _check_state(image: Record, allowed: set[int], prefix: str = "") -> None:
    if image.state not in allowed:
        raise Refused(Code.INTERNAL, f"{prefix}Image cannot be in state {STATE_WORDS[image.state]}.")


def enable(call: Call, oid: int, enabled: bool) -> int:
    """Let an image be used, or not."""
    image = call.get("image", oid)
    require(call, manage(image))
    words = "enable" if enabled else "disable"
    if image.body["TYPE"] == BACKUP:
        text = "Backup images cannot be enabled or disabled."
        raise Refused(Code.INTERNAL, f"Could not {words} image: {text}")
    allowed = {DISABLED, LOCKED, ERROR, READY} if enabled else {READY, ERROR, DISABLED}
    _check_state(image, allowed, f"Could not {words} image: ")
    set_state(call.store, image, READY if enabled else DISABLED)
    return oid


def set_persistent(call: Call, oid: int, persistent: bool) -> int:
    """Let disks of the image be the image itself, or copies of it."""
    image = call.get("image", oid)
    require(call, manage(image))
    if bool(image.body["PERSISTENT"]) == persistent:
        return oid
    if image.body["TYPE"] in FILES:
        raise Refused(Code.ACTION, "KERNEL, RAMDISK and CONTEXT must be non-persistent")
    if image.body["TYPE"] == BACKUP:
        raise Refused(Code.ACTION, "BACKUP images must be persistent")
    words = "Could not make image persistent: " if persistent else "Could not make image non-persistent: "
    _check_state(image, {READY, INIT, ERROR, DISABLED}, words)
    if not persistent and image.body["SNAPSHOTS"].get("SNAPSHOT"):
        raise Refused(Code.INTERNAL, f"{words}Image has snapshots.")
    call.store.edit(image).body["PERSISTENT"] = int(persistent)
    return oid


def chtype(call: Call, oid: int, word: str) -> int:
    """Let an image be of another type of the same group."""
    image = call.get("image", oid)
    require(call, manage(image))
    if word.upper() not in TYPES:
        raise Refused(Code.INTERNAL, "known type ")
    kind, old = TYPES.index(word.upper()), image.body["TYPE"]
    if old in {BACKUP, FILESYSTEM}:
        raise Refused(Code.ACTION, f"Cannot change type for{TYPES[old]} images.")
    if not any({kind, old} <= group for group in (DISKS, FILES)):
        text = "Cannot change image type to an incompatible type for the current datastore."
        raise Refused(Code.ACTION, text)
    call.store.edit(image).body["TYPE"] = kind
    return oid


def _move_quota(call: Call, image: Record, uid: int, gid: int) -> None:
    """Count an image to its new owners."""
    amount = usage(image.body["DATASTORE_ID"], whole_size(image))
    new_uid, new_gid = (image.uid if uid < 0 else uid), (image.gid if gid < 0 else gid)
    quota.release(call.store, image.uid if uid >= 0 else -1, image.gid if gid >= 0 else -1, amount)
    quota.charge(call.store, new_uid if uid >= 0 else -1, new_gid if gid >= 0 else -1, amount)


TABLE: Table = {
    **common(
        "image",
        allocate=allocate,
        enable=enable,
        persistent=set_persistent,
        chtype=chtype,
        chown=chown("image", before=_move_quota),
        update=update("image", restrictions="IMAGE_RESTRICTED_ATTR"),
    ),
    "one.imagepool.info": owned_pool("image"),
}
