"""How images come and go: what happens after a call has answered.

References: OpenNebula src/image/ImageManagerActions.cc, ImageManagerProtocol.cc.
"""

from __future__ import annotations

import secrets
import shutil
import time
from typing import TYPE_CHECKING

from emulator import quota
from emulator.access import manage, require
from emulator.document import ids
from emulator.errors import Code, Refused
from emulator.objects import image_content
from emulator.objects.front_end_files import file_format, host_path, image_folder, is_allowed
from emulator.objects.image import (
    CLONE,
    DATABLOCK,
    DELETE,
    ERROR,
    FILESYSTEM,
    LOCKED,
    LOCKED_USED,
    LOCKED_USED_PERS,
    READY,
    USED,
    USED_PERS,
    set_state,
    usage,
    whole_size,
)
from emulator.objects.market_file import import_content, import_mistake

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud, Event
    from emulator.record import Body, Record
    from emulator.registry import Table

IN_USE = {USED, USED_PERS}
READY_STATES = {LOCKED: READY, LOCKED_USED: USED, LOCKED_USED_PERS: USED_PERS}


NOT_REMOVED = (
    "Error removing image from datastore. Retry the operation or manually remove image source  and run the delete "
    "--force operation to completely delete the image"
)


def ctime(cloud: Cloud) -> str:
    """Now, as C's ctime writes it: how error texts begin."""
    return time.ctime(cloud.clock.now())


def fail(cloud: Cloud, image: Record, text: str) -> None:
    """Let an image be in ERROR, with the driver's words."""
    set_state(cloud.store, image, ERROR)
    image.template["ERROR"] = [f"{ctime(cloud)} : {text}"]


def copied(cloud: Cloud, oid: int, _arguments: Body) -> None:
    """The datastore has the image, or failed to take it."""
    image = cloud.store.get("image", oid)
    if image is None or image.state not in READY_STATES:
        return
    datastore = cloud.store.get("datastore", image.body["DATASTORE_ID"])
    mistake = "Fault injected" if cloud.faults.strike("image") else _why_not(cloud, image, datastore)
    mistake = mistake or _filled(cloud, image, datastore)
    if mistake:
        fail(cloud, image, mistake)
    else:
        set_state(cloud.store, image, READY_STATES[image.state])
        for vm_id in image.body["VMS"].get("ID", []):
            cloud.later(0, "vm.disk_ready", vm_id)
    _finish_clone(cloud, image)


def _why_not(cloud: Cloud, image: Record, datastore: Record | None) -> str:
    return import_mistake(cloud, image) if "app" in image.hidden else _mistake(cloud, image, datastore)


def _mistake(cloud: Cloud, image: Record, datastore: Record | None) -> str:
    path = image.body["PATH"]
    if datastore is None:
        return "Error copying image in the datastore: datastore no longer exists"
    if not path or image.body["CLONING_ID"] >= 0 or "://" in path or datastore.body["DS_MAD"] == "dummy":
        return ""
    if image.body["TYPE"] == FILESYSTEM:
        if not host_path(cloud, path).is_dir():
            return f"Error copying image in the datastore: The provided path '{path}' is not a directory"
        if not is_allowed(datastore, path):
            return (
                f"Error copying image in the datastore: Not allowed to use directory '{path}', "
                "check RESTRICTED_DIRS in your datastore"
            )
    elif not is_allowed(datastore, path):
        return (
            f"Error copying image in the datastore: Not allowed to copy image from {path}, "
            "check RESTRICTED_DIRS in your datastore"
        )
    elif not host_path(cloud, path).exists():
        return f"Error copying image in the datastore: {path} does not exist"
    return ""


def _filled(cloud: Cloud, image: Record, datastore: Record | None) -> str:
    """Why an image could not be copied, "" where it was."""
    try:
        _fill(cloud, image, datastore)
        if cloud.driver.boots_images:  # a copy of a gigabyte takes ten seconds, in which the cloud does nothing else
            image_content.take(cloud, image)
    except OSError as error:
        return f"Error copying image in the datastore: {error.strerror or error}"
    return ""


def _fill(cloud: Cloud, image: Record, datastore: Record | None) -> None:
    body, path = cloud.store.edit(image).body, image.body["PATH"]
    dummy = datastore is not None and datastore.body["DS_MAD"] == "dummy"
    content = import_content(cloud, image) if "app" in image.hidden else None
    if content is not None:
        body["FORMAT"] = file_format(content)
    if not body["FORMAT"]:
        body["FORMAT"] = "raw" if dummy or "://" in path else file_format(host_path(cloud, path))
    if not body["SOURCE"]:
        body["SOURCE"] = _source(cloud, image, dummy=dummy)
    elif not dummy and not host_path(cloud, body["SOURCE"]).exists():
        image.hidden["lost"] = True
    folder = image_folder(cloud, image)
    if body["TYPE"] == DATABLOCK:
        folder.mkdir(parents=True, exist_ok=True)


def _source(cloud: Cloud, image: Record, *, dummy: bool) -> str:
    if dummy:
        return "dummy_path"
    if image.body["TYPE"] == FILESYSTEM:
        return str(image.body["PATH"])
    location = cloud.configuration.text("DATASTORE_LOCATION")
    return f"{location}/{image.body['DATASTORE_ID']}/{random_name()}"


def random_name() -> str:
    """Under what a datastore keeps something."""
    return secrets.token_hex(16)


def _finish_clone(cloud: Cloud, image: Record) -> None:
    source = cloud.store.get("image", image.body["CLONING_ID"])
    image.body["CLONING_ID"] = -1
    if source is None:
        return
    body = cloud.store.edit(source).body
    body["CLONING_OPS"] -= 1
    if body["CLONING_OPS"] == 0 and not body["VMS"] and source.state in {USED, CLONE}:
        set_state(cloud.store, source, READY)


def delete(call: Call, oid: int, force: bool = False) -> int:
    """Delete an image that nothing uses; with `force` also one whose content is gone."""
    image = call.get("image", oid)
    require(call, manage(image))
    delete_image(call, image, force=force)
    return oid


def delete_image(call: Call, image: Record, *, force: bool = False) -> None:
    """Let an image go away, or refuse when something uses it."""
    text = in_use(image)
    if text:
        raise Refused(Code.ACTION, f"Cannot delete image. {text}")
    if image.state == LOCKED:
        _forget_clone(call.cloud, image)
    set_state(call.store, image, DELETE)
    call.cloud.later(call.cloud.pace.image_s, "image.deleted", image.oid, force=force)


def _forget_clone(cloud: Cloud, image: Record) -> None:
    if image.body["CLONING_ID"] >= 0:
        _finish_clone(cloud, image)


def in_use(image: Record) -> str:
    """What uses an image, "" if nothing."""
    body = image.body
    if image.state in IN_USE and body["RUNNING_VMS"] > 0:
        return f"There are {body['RUNNING_VMS']} VMs using it."
    if body["CLONING_OPS"] > 0:
        return f"There are {body['CLONING_OPS']} active clone operations."
    return ""


def deleted(cloud: Cloud, oid: int, arguments: Body) -> None:
    """The datastore has removed the image, or failed to."""
    image = cloud.store.get("image", oid)
    if image is None:
        return
    datastore = cloud.store.get("datastore", image.body["DATASTORE_ID"])
    if image.hidden.get("lost") and not arguments.get("force"):
        fail(cloud, image, NOT_REMOVED)
        return
    if datastore is not None:
        images = cloud.store.edit(datastore).body["IMAGES"]
        datastore.body["IMAGES"] = ids([one for one in images.get("ID", []) if one != oid])
    quota.release(cloud.store, image.uid, image.gid, usage(image.body["DATASTORE_ID"], whole_size(image)))
    shutil.rmtree(image_folder(cloud, image), ignore_errors=True)
    cloud.store.remove(image)


TABLE: Table = {"one.image.delete": delete}
EVENTS: dict[str, Event] = {"image.copied": copied, "image.deleted": deleted}
