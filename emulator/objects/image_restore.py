"""Making images and a template from a backup: `one.image.restore`.

References: OpenNebula src/rm/api/ImageAPI.cc `restore`, src/tm_mad/lib/backup.rb.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import create, require, use
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects import backup_content
from emulator.objects.datastore import IMAGE_DS
from emulator.objects.front_end_files import image_folder
from emulator.objects.image import BACKUP, DATABLOCK, OS, begin_copy, charge, check_space, new_image
from emulator.objects.vm_template import new_template
from emulator.template import copied, first, is_yes, parse, vectors, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table

DUMMY_ANSWER = "0 dummy_image"  # what OpenNebula's dummy driver says
# What a machine had because it was that machine.
OWN = (
    "AUTOMATIC_DS_REQUIREMENTS", "AUTOMATIC_NIC_REQUIREMENTS", "AUTOMATIC_REQUIREMENTS", "VMID", "TEMPLATE_ID",
    "TM_MAD_SYSTEM", "SECURITY_GROUP_RULE", "ERROR", "SNAPSHOT",
)  # fmt: skip
NIC_OWN = (
    "AR_ID", "BRIDGE", "BRIDGE_TYPE", "CLUSTER_ID", "NAME", "NETWORK_ID", "NIC_ID", "TARGET", "VLAN_ID", "VN_MAD",
    "MAC", "VLAN_TAGGED_ID", "PHYDEV", "OUTER_VLAN_ID", "ALIAS_IDS",
)  # fmt: skip
ADDRESSES = ("IP", "IP6", "IP6_ULA", "IP6_GLOBAL")


def restore(call: Call, oid: int, datastore_id: int, text: str = "") -> str:
    """Make images and a template from a backup; their ids, the template's first."""
    image = call.store.get("image", oid)
    if image is None:
        return ""  # OpenNebula answers an unknown image with a success and no ids
    datastore, options = call.get("datastore", datastore_id), parse(text)
    require(call, use(image), use(datastore))
    if image.body["TYPE"] != BACKUP:
        raise Refused(Code.ACTION, "Can only restore images of type BACKUP")
    if datastore.body["TYPE"] != IMAGE_DS:
        raise Refused(Code.ACTION, "Images can be restored in IMAGE_DS datastores only")
    if call.get("datastore", image.body["DATASTORE_ID"]).body["DS_MAD"] == "dummy":
        return DUMMY_ANSWER
    return " ".join(map(str, _restored(call, image, datastore, options)))


def _restored(call: Call, backup: Record, datastore: Record, options: Body) -> list[int]:
    require(call, create("image", call.caller.gid))
    machine = backup.hidden[backup_content.MACHINE]
    base = first(options, "NAME") or f"{next(iter(backup.body['VMS'].get('ID', [])), 0)}-{backup.oid}"
    wanted = first(options, "DISK_ID")
    disks = [one for one in backup_content.kept_disks(machine["template"]) if wanted in {"", one["DISK_ID"]}]
    if not disks:
        raise Refused(Code.ACTION, "Backup does not contain any disks or missing vm.xml")
    made = {disk["DISK_ID"]: _image(call, backup, datastore, disk, base).oid for disk in disks}
    if wanted:
        return list(made.values())
    require(call, create("template", call.caller.gid))
    check_name(call.store, "template", base, call.caller.uid)
    return [new_template(call, base, _template(machine, made, options)).oid, *made.values()]


def _image(call: Call, backup: Record, datastore: Record, disk: dict[str, str], base: str) -> Record:
    number, size = disk["DISK_ID"], whole(disk.get("SIZE"), 1)
    name = f"{base}-disk-{number}"
    check_space(datastore, size, skip=False)
    charge(call, datastore.oid, size)
    check_name(call.store, "image", name, call.caller.uid)
    parts = {"PATH": "", "SOURCE": "", "FORMAT": disk.get("FORMAT", "raw"), "FS": ""}
    kind = OS if number == "0" else DATABLOCK
    template = {"FROM_BACKUP_DS": [str(backup.body["DATASTORE_ID"])]}
    image = new_image(call, name, kind, datastore, template, size=size, persistent=False, parts=parts)
    backup_content.copy_into(backup_content.content(call.cloud, backup, number), image_folder(call.cloud, image))
    begin_copy(call, image, datastore)
    return image


def _template(machine: Body, images: dict[str, int], options: Body) -> Body:
    template = {**copied(machine["template"]), **copied(machine["user"])}
    for name in OWN:
        template.pop(name, None)
    template["DISK"] = [{"IMAGE_ID": str(oid)} for oid in images.values()]
    dropped = NIC_OWN + (ADDRESSES if is_yes(first(options, "NO_IP")) else ())
    nics = [{key: nic[key] for key in nic if key not in dropped} for nic in vectors(template, "NIC")]
    for name in ("NIC", "NIC_ALIAS"):
        template.pop(name, None)
    if nics and not is_yes(first(options, "NO_NIC")):
        template["NIC"] = nics
    _drop_computed(template)
    return template


def _drop_computed(template: Body) -> None:
    """What is worked out anew for each machine."""
    for name, keys in (("OS", ("UUID",)), ("GRAPHICS", ("PORT",)), ("CONTEXT", ("DISK_ID", "TARGET", "VMID"))):
        for vector in vectors(template, name):
            for key in [one for one in vector if one in keys or (name == "CONTEXT" and one.startswith("ETH"))]:
                del vector[key]


TABLE: Table = {"one.image.restore": restore}
