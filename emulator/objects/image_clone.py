"""Copies of images.

References: OpenNebula src/rm/api/ImageAPI.cc `clone`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import create, require, use
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects.datastore import IMAGE_DS
from emulator.objects.image import (
    CLONE,
    DISKS,
    READY,
    STATE_WORDS,
    TYPES,
    USED,
    begin_copy,
    charge,
    check_space,
    new_image,
    set_state,
)
from emulator.template import copied

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Record
    from emulator.registry import Table


def clone(call: Call, oid: int, name: str, datastore_id: int = -1) -> int:
    """Copy an image; the source cannot change meanwhile."""
    source = call.get("image", oid)
    if source.body["TYPE"] not in DISKS:
        raise Refused(Code.ACTION, f"{TYPES[source.body['TYPE']]} images cannot be cloned.")
    if "SNAPSHOT" in source.body["SNAPSHOTS"]:
        raise Refused(Code.ACTION, "Cannot clone images with snapshots")
    target_id = source.body["DATASTORE_ID"] if datastore_id == -1 else datastore_id
    target, origin = call.get("datastore", target_id), call.get("datastore", source.body["DATASTORE_ID"])
    if {target.body["TYPE"], origin.body["TYPE"]} != {IMAGE_DS}:
        raise Refused(Code.ACTION, "Clone only supported for IMAGE_DS Datastores")
    if target.body["DS_MAD"] != origin.body["DS_MAD"]:
        raise Refused(Code.ACTION, "Clone only supported to same DS_MAD Datastores")
    check_space(target, source.body["SIZE"], skip=False)
    wants = [create("image", call.caller.gid), use(source), use(target)]
    require(call, *wants, *([use(origin)] if origin is not target else []))
    charge(call, target_id, source.body["SIZE"])
    return copy_of(call, source, name, target).oid


def copy_of(call: Call, source: Record, name: str, target: Record, *, persistent: bool | None = None) -> Record:
    """A new image that is being copied from another."""
    check_name(call.store, "image", name, call.caller.uid)
    if source.state not in {READY, USED, CLONE}:
        text = f"Cannot clone image in state: {STATE_WORDS[source.state]}"
        raise Refused(Code.ALLOCATE, f"Error allocating a new image. {text}")
    body = source.body
    parts = {"PATH": body["SOURCE"], "SOURCE": "", "FORMAT": body["FORMAT"], "FS": body["FS"]}
    image = new_image(
        call,
        name,
        body["TYPE"],
        target,
        copied(source.template),
        size=body["SIZE"],
        persistent=bool(body["PERSISTENT"]) if persistent is None else persistent,
        parts=parts,
        cloning=source.oid,
    )
    call.store.edit(source).body["CLONING_OPS"] += 1
    if source.state == READY:
        set_state(call.store, source, USED if not body["PERSISTENT"] else CLONE)
    begin_copy(call, image, target)
    return image


TABLE: Table = {"one.image.clone": clone}
