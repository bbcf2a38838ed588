"""Snapshots that a persistent image brought back from a virtual machine.

The image is locked while its datastore works; with the driver `none` there is no content, and it fails.

References: OpenNebula src/rm/api/ImageAPI.cc, src/image/ImageManagerActions.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import quota
from emulator.access import manage, require
from emulator.errors import Code, Refused
from emulator.objects.image import DATABLOCK, LOCKED, OS, READY, STATE_WORDS, USED, USED_PERS, set_state, whole_size
from emulator.objects.image_life import ctime
from emulator.template import whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud, Event
    from emulator.record import Body, Record
    from emulator.registry import Table

NONE_LEFT = {"ALLOW_ORPHANS": "NO", "CURRENT_BASE": "-1", "NEXT_SNAPSHOT": "0"}
FAILURES = {
    "delete": "Error removing snapshot {number} from image {image}: Error deleting snapshot {place}",
    "revert": "Error reverting image {image} to snapshot {number}: Error copying snapshot {place}",
    "flatten": "Error flattening image snapshot: Error moving snapshot {place}",
}


def carried_back(image: Record, group: Body) -> None:
    """Keep with an image the snapshots that a virtual machine's disk has."""
    kept = {key: value for key, value in group.items() if key != "DISK_ID"}
    image.body["SNAPSHOTS"] = kept if group.get("SNAPSHOT") else {}


def carried_along(image: Record, disk_id: str) -> Body:
    """The snapshots that a disk has from its image, {} where it has none."""
    group = image.body["SNAPSHOTS"]
    if not image.body["PERSISTENT"] or not group.get("SNAPSHOT"):
        return {}
    made = {**group, "DISK_ID": disk_id, "SNAPSHOT": [dict(one) for one in group["SNAPSHOT"]]}
    return {key: made[key] for key in sorted(made, key=lambda key: (key == "SNAPSHOT", key))}


def _found(call: Call, oid: int, number: int, words: str) -> tuple[Record, dict[str, str]]:
    image = call.get("image", oid)
    require(call, manage(image))
    if image.state in {USED, USED_PERS}:
        raise Refused(Code.ACTION, f"Cannot {words} in state {STATE_WORDS[image.state]}")
    found = next((one for one in image.body["SNAPSHOTS"].get("SNAPSHOT", []) if one["ID"] == str(number)), None)
    if found is None:
        raise Refused(Code.ACTION, "Snapshot does not exist")
    if image.body["TYPE"] not in {OS, DATABLOCK}:
        text = "IMAGES of type KERNEL, RAMDISK, BACKUP, FILESYSTEM and CONTEXT do not have snapshots."
        raise Refused(Code.ACTION, text)
    if image.state != READY:
        raise Refused(Code.ACTION, f"Cannot {words} in state {STATE_WORDS[image.state]}")
    return image, found


def _begin(call: Call, image: Record, number: int, action: str) -> None:
    set_state(call.store, image, LOCKED)
    image.body["TARGET_SNAPSHOT"] = number
    call.cloud.later(call.cloud.pace.image_s, "image.snapshot", image.oid, action=action, number=number)


def delete(call: Call, oid: int, number: int) -> int:
    """Delete a snapshot that is not the active one."""
    image, found = _found(call, oid, number, "delete snapshot")
    if found.get("ACTIVE") == "YES":
        raise Refused(Code.ACTION, "Cannot delete the active snapshot")
    _begin(call, image, number, "delete")
    return oid


def revert(call: Call, oid: int, number: int) -> int:
    """Go back to a snapshot."""
    image, _ = _found(call, oid, number, "revert to snapshot")
    _begin(call, image, number, "revert")
    return oid


def flatten(call: Call, oid: int, number: int) -> int:
    """Make a snapshot the image, and drop all snapshots."""
    image, _ = _found(call, oid, number, "flatten snapshot")
    _begin(call, image, number, "flatten")
    return oid


def done(cloud: Cloud, oid: int, arguments: Body) -> None:
    """The datastore has worked on a snapshot, or failed to."""
    image = cloud.store.get("image", oid)
    if image is None or image.state != LOCKED:
        return
    set_state(cloud.store, image, READY)
    image.body["TARGET_SNAPSHOT"] = -1
    action, number = arguments["action"], arguments["number"]
    if "fail" in cloud.faults.strike("snapshot"):
        place = f"{image.body['SOURCE']}.snap/{number}"
        text = FAILURES[action].format(number=number, image=oid, place=place)
        image.template["ERROR"] = [f"{ctime(cloud)} : {text}"]
    else:
        before = whole_size(image)
        _change(image, action, str(number))
        left = sum(whole(one["SIZE"], 0) for one in image.body["SNAPSHOTS"].get("SNAPSHOT", []))
        image.hidden["snapshots"] = left
        freed = quota.Usage("DATASTORE", str(image.body["DATASTORE_ID"]), {"SIZE": before - whole_size(image)})
        quota.release(cloud.store, image.uid, image.gid, freed)


def _change(image: Record, action: str, number: str) -> None:
    group = image.body["SNAPSHOTS"]
    if action == "flatten":
        image.body["SNAPSHOTS"] = dict(NONE_LEFT)
    elif action == "delete":
        group["SNAPSHOT"] = [one for one in group["SNAPSHOT"] if one["ID"] != number]
    else:
        plain = [{key: value for key, value in one.items() if key != "ACTIVE"} for one in group["SNAPSHOT"]]
        group["SNAPSHOT"] = [{"ACTIVE": "YES", **one} if one["ID"] == number else one for one in plain]


TABLE: Table = {
    "one.image.snapshotdelete": delete,
    "one.image.snapshotrevert": revert,
    "one.image.snapshotflatten": flatten,
}
EVENTS: dict[str, Event] = {"image.snapshot": done}
