"""Datastores: where images and the disks of virtual machines lie.

References: OpenNebula src/datastore/Datastore.cc, src/rm/api/DatastoreAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import admin, create, manage, require
from emulator.document import ids
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects.cluster import DEFAULT, join, leave_all
from emulator.objects.ownership import chmod, chown, owner_body, permissions
from emulator.objects.shared import info, rename, update, whole_pool
from emulator.objects.vdc import forget_everywhere
from emulator.template import first, parse, take

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud, Event
    from emulator.configuration import Configuration
    from emulator.record import Body, Record
    from emulator.registry import Table

FIRST_ID = 100
IMAGE_DS, SYSTEM_DS, FILE_DS, BACKUP_DS = 0, 1, 2, 3
TYPES = {"IMAGE_DS": IMAGE_DS, "SYSTEM_DS": SYSTEM_DS, "FILE_DS": FILE_DS, "BACKUP_DS": BACKUP_DS}
TYPE_WORDS = {number: word for word, number in TYPES.items()}
DISK_TYPES = {"FILE": 0, "BLOCK": 2, "RBD": 3, "GLUSTER": 5, "SHEEPDOG": 7, "ISCSI": 9, "FILESYSTEM": 10}
DISK_TYPE_WORDS = {number: word for word, number in DISK_TYPES.items()}
READY, DISABLED = 0, 1
# Drivers that tell no capacity (virtiofs), or need a server that is not there. Nor is a system datastore that is not
# shared asked: its space is each host's own.
SILENT = {"virtiofs", "ceph", "restic", "rsync"}
SYSTEM_ATTRIBUTES = ("SHARED", "DS_MIGRATE", "DS_LIVE_MIGRATE", "DS_MIGRATE_SNAP")


def new_datastore(call: Call, name: str, template: Body, cluster: Record, oid: int | None = None) -> Record:
    """A new datastore; its template is completed from what its drivers say."""
    configuration = call.cloud.configuration
    kind = TYPES.get(first(template, "TYPE"), IMAGE_DS)
    ds_mad = _ds_mad(configuration, template, kind)
    tm_mad = "-" if kind == BACKUP_DS else first(template, "TM_MAD")
    apply_tm_mad(configuration, template, tm_mad, kind)
    disk_type = _disk_type(template, kind)
    if not first(template, "SAFE_DIRS") and not first(template, "RESTRICTED_DIRS"):
        template.update({"SAFE_DIRS": ["/var/tmp"], "RESTRICTED_DIRS": ["/"]})  # noqa: S108  (oned's default)
    if oid is None:
        oid = call.store.next_id("datastore", FIRST_ID)
    location = configuration.text("DATASTORE_LOCATION")
    body = {
        **owner_body(call.caller, oid, name),
        "PERMISSIONS": permissions("110100000"),
        "DS_MAD": ds_mad,
        "TM_MAD": tm_mad,
        "BASE_PATH": f"{location}/{oid}",
        "TYPE": kind,
        "DISK_TYPE": disk_type,
        "STATE": READY,
        "CLUSTERS": ids([cluster.oid]),
        "TOTAL_MB": 0,
        "FREE_MB": 0,
        "USED_MB": 0,
        "IMAGES": {},
        "TEMPLATE": template,
    }
    join(call.store, cluster, "datastore", oid)
    call.cloud.later(call.cloud.pace.datastore_s, "datastore.monitor", oid)
    return call.store.add("datastore", oid, body)


def _ds_mad(configuration: Configuration, template: Body, kind: int) -> str:
    name = first(template, "DS_MAD")
    if kind == SYSTEM_DS:
        if name:
            raise Refused(Code.INTERNAL, "SYSTEM datastores cannot have DS_MAD defined.")
        return "-"
    if not name:
        raise Refused(Code.INTERNAL, "No DS_MAD in template.")
    apply_ds_mad(configuration, template, name)
    return name


def apply_ds_mad(configuration: Configuration, template: Body, name: str) -> None:
    """Complete a template by what a datastore driver says."""
    about = configuration.vector("DS_MAD_CONF", name)
    if about is None:
        raise Refused(Code.INTERNAL, f'DS_MAD named "{name}" is not defined in oned.conf')
    if "DATASTORE_CAPACITY_CHECK" in about:
        template["DATASTORE_CAPACITY_CHECK"] = [about["DATASTORE_CAPACITY_CHECK"]]
    for required in filter(None, about.get("REQUIRED_ATTRS", "").split(",")):
        if not first(template, required.strip().upper()):
            text = f'Datastore template is missing the "{required.strip().upper()}" attribute or it\'s empty.'
            raise Refused(Code.INTERNAL, text)


def apply_tm_mad(configuration: Configuration, template: Body, name: str, kind: int) -> None:
    """Complete a template by what a transfer driver says."""
    if kind == BACKUP_DS:
        return
    if not name:
        raise Refused(Code.INTERNAL, "No TM_MAD in template.")
    about = configuration.vector("TM_MAD_CONF", name)
    if about is None:
        raise Refused(Code.INTERNAL, f'TM_MAD named "{name}" is not defined in oned.conf')
    told = _system_attributes(about) if kind == SYSTEM_DS else _image_attributes(about)
    told["ALLOW_ORPHANS"] = about.get("ALLOW_ORPHANS", "NO")
    told["PERSISTENT_SNAPSHOTS"] = about.get("PERSISTENT_SNAPSHOTS", "YES")
    for stale in ("LN_TARGET", "CLONE_TARGET") if kind == SYSTEM_DS else ("SHARED",):
        template.pop(stale, None)
    template.update({key: [value] for key, value in told.items()})


def _system_attributes(about: dict[str, str]) -> dict[str, str]:
    return {key: about.get(key, "YES" if key == "DS_MIGRATE" else "NO") for key in SYSTEM_ATTRIBUTES}


def _image_attributes(about: dict[str, str]) -> dict[str, str]:
    told: dict[str, str] = {
        key: about[key] for key in ("LN_TARGET", "CLONE_TARGET", "DRIVER", "DISK_TYPE", "TM_MAD_SYSTEM") if key in about
    }
    for mode in filter(None, about.get("TM_MAD_SYSTEM", "").split(",")):
        for key in ("LN_TARGET", "CLONE_TARGET", "DISK_TYPE"):
            told[f"{key}_{mode.strip().upper()}"] = about[f"{key}_{mode.strip().upper()}"]
    return told


def _disk_type(template: Body, kind: int) -> int:
    word = take(template, "DISK_TYPE").upper()
    if kind in {FILE_DS, BACKUP_DS}:
        return DISK_TYPES["FILE"]
    if word and word not in DISK_TYPES:
        raise Refused(Code.INTERNAL, "Unknown DISK_TYPE in template.")
    number = DISK_TYPES[word or "FILE"]
    template["DISK_TYPE"] = [DISK_TYPE_WORDS[number]]
    return number


def allocate(call: Call, text: str, cluster_id: int = -1) -> int:
    """Make a datastore."""
    template = parse(text)
    cluster = call.get("cluster", DEFAULT if cluster_id == -1 else cluster_id)
    require(call, create("datastore"), admin(cluster))
    name = take(template, "NAME")
    check_name(call.store, "datastore", name)
    return new_datastore(call, name, template, cluster).oid


def monitored(cloud: Cloud, oid: int, _arguments: Body) -> None:
    """A datastore tells how much it holds."""
    datastore = cloud.store.get("datastore", oid)
    if datastore is None or datastore.body["DS_MAD"] in SILENT:
        return
    if datastore.body["TYPE"] != SYSTEM_DS or datastore.attribute("SHARED") == "YES":
        total, free, used = cloud.settings.datastore_mib
        cloud.store.edit(datastore).body.update({"TOTAL_MB": total, "FREE_MB": free, "USED_MB": used})


def delete(call: Call, oid: int) -> int:
    """Delete a datastore without images."""
    datastore = call.get("datastore", oid)
    require(call, manage(datastore))
    if datastore.body["IMAGES"]:
        raise Refused(Code.ACTION, f"Cannot delete datastore. Datastore {oid} is not empty.")
    leave_all(call.store, "datastore", oid)
    forget_everywhere(call.store, "datastore", oid)
    call.store.remove(datastore)
    return oid


def enable(call: Call, oid: int, enabled: bool) -> int:
    """Let the scheduler use a system datastore, or not."""
    datastore = call.get("datastore", oid)
    require(call, manage(datastore))
    call.store.edit(datastore).body["STATE"] = READY if enabled else DISABLED
    return oid


def _updated(call: Call, datastore: Record, _old: Body) -> None:
    """Complete the new template, and follow a change of type or driver."""
    body, template, configuration = datastore.body, datastore.template, call.cloud.configuration
    kind = TYPES.get(first(template, "TYPE"), IMAGE_DS) if "TYPE" in template else body["TYPE"]
    if datastore.oid == 0:
        kind = SYSTEM_DS
    if body["TYPE"] != BACKUP_DS:
        body["TYPE"] = kind
    template["TYPE"] = [TYPE_WORDS[body["TYPE"]]]
    if first(template, "DISK_TYPE"):
        body["DISK_TYPE"] = _disk_type(template, body["TYPE"])
    _update_tm_mad(configuration, body, template)
    _update_ds_mad(configuration, body, template)


def _update_tm_mad(configuration: Configuration, body: Body, template: Body) -> None:
    name = first(template, "TM_MAD")
    if name and body["TYPE"] != BACKUP_DS:
        apply_tm_mad(configuration, template, name, body["TYPE"])
        body["TM_MAD"] = name
    else:
        template["TM_MAD"] = [body["TM_MAD"]]


def _update_ds_mad(configuration: Configuration, body: Body, template: Body) -> None:
    name = first(template, "DS_MAD")
    if body["TYPE"] == SYSTEM_DS:
        body["DS_MAD"] = "-"
        template.pop("DS_MAD", None)
    elif name:
        apply_ds_mad(configuration, template, name)
        body["DS_MAD"] = name
    else:
        template["DS_MAD"] = [body["DS_MAD"]]


def _renamed(call: Call, datastore: Record) -> None:
    for oid in datastore.body["IMAGES"].get("ID", []):
        call.store.edit(call.get("image", oid)).body["DATASTORE"] = datastore.name


TABLE: Table = {
    "one.datastore.allocate": allocate,
    "one.datastore.info": info("datastore"),
    "one.datastore.update": update("datastore", after=_updated),
    "one.datastore.rename": rename("datastore", after=_renamed),
    "one.datastore.chmod": chmod("datastore"),
    "one.datastore.chown": chown("datastore"),
    "one.datastore.enable": enable,
    "one.datastore.delete": delete,
    "one.datastorepool.info": whole_pool("datastore"),
}
EVENTS: dict[str, Event] = {"datastore.monitor": monitored}
