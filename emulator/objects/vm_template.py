"""Templates of virtual machines.

References: OpenNebula src/vm_template, src/rm/api/TemplateAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import create, manage, require, use
from emulator.document import element
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects import vm_disk
from emulator.objects.image import DISKS
from emulator.objects.image_clone import copy_of
from emulator.objects.image_life import delete_image
from emulator.objects.ownership import change_permissions, owner_body, permissions
from emulator.objects.shared import common, owned_pool, rendered, update
from emulator.objects.vm import check_restricted, new_vm
from emulator.template import copied, is_yes, merged, parse, take, vectors

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table


def new_template(call: Call, name: str, template: Body) -> Record:
    """A new template."""
    oid = call.store.next_id("template")
    body = {
        **owner_body(call.caller, oid, name),
        "PERMISSIONS": permissions(),
        "REGTIME": call.cloud.clock.seconds(),
        "TEMPLATE": template,
    }
    return call.store.add("template", oid, body)


def allocate(call: Call, text: str) -> int:
    """Keep a template."""
    template = parse(text)
    require(call, create("template", call.caller.gid))
    check_restricted(call, template)
    name = take(template, "NAME")
    check_name(call.store, "template", name, call.caller.uid)
    template.pop("TEMPLATE_ID", None)
    return new_template(call, name, template).oid


def info(call: Call, oid: int, extended: bool = False, decrypt: bool = False) -> str:  # noqa: ARG001  (an API's parameters)
    """Show a template; extended with what its disks and networks would be."""
    record = call.get("template", oid)
    wants = [use(record, despite_lock=True)]
    if extended:
        wants += vm_disk.wants(call, record.template, call.caller.uid)
    require(call, *wants)
    if not extended:
        return rendered(record)
    template = copied(record.template)
    disks = vectors(template, "DISK")
    for number, disk in enumerate(disks):
        vm_disk.describe(call, disk, number, call.caller.uid)
    return element("VMTEMPLATE", {**record.body, "TEMPLATE": template})


def _images(call: Call, template: Record) -> list[Record]:
    """The images that disks of a template name."""
    disks = [disk for disk in vectors(template.template, "DISK") if vm_disk.has_image(disk)]
    return [vm_disk.image_of(call, disk, call.caller.uid) for disk in disks]


def delete(call: Call, oid: int, recursive: bool = False) -> int:
    """Delete a template, with its images if wanted."""
    template = call.get("template", oid)
    require(call, manage(template))
    images = _images(call, template) if recursive else []
    call.store.remove(template)
    for image in images:
        require(call, manage(image))
        delete_image(call, image)
    return oid


def chmod(
    call: Call,
    oid: int,
    owner_u: int,
    owner_m: int,
    owner_a: int,
    group_u: int,
    group_m: int,
    group_a: int,
    other_u: int,
    other_m: int,
    other_a: int,
    recursive: bool = False,
) -> int:
    """Set permission bits, of its images too if wanted."""
    template = call.get("template", oid)
    bits = (owner_u, owner_m, owner_a, group_u, group_m, group_a, other_u, other_m, other_a)
    change_permissions(call, template, bits)
    for image in _images(call, template) if recursive else []:
        change_permissions(call, image, bits)
    return oid


def clone(call: Call, oid: int, name: str, recursive: bool = False) -> int:
    """Copy a template, with its images if wanted."""
    source = call.get("template", oid)
    require(call, create("template", call.caller.gid), use(source))
    return copy_template(call, source, name, recursive=recursive).oid


def copy_template(call: Call, source: Record, name: str, *, recursive: bool, persistent: bool | None = None) -> Record:
    """A copy of a template; its images are copied too, or not."""
    check_name(call.store, "template", name, call.caller.uid)
    template = copied(source.template)
    template.pop("NAME", None)
    if recursive:
        for number, disk in enumerate(vectors(template, "DISK")):
            _copy_image(call, disk, f"{name}-disk-{number}", persistent=persistent)
    return new_template(call, name, template)


def _copy_image(call: Call, disk: dict[str, str], name: str, *, persistent: bool | None) -> None:
    image = vm_disk.image_of(call, disk, call.caller.uid) if vm_disk.has_image(disk) else None
    if image is not None and image.body["TYPE"] in DISKS:
        target = call.get("datastore", image.body["DATASTORE_ID"])
        made = copy_of(call, image, name, target, persistent=persistent)
        for key in ("IMAGE", "IMAGE_UNAME", "IMAGE_UID"):
            disk.pop(key, None)
        disk["IMAGE_ID"] = str(made.oid)


def instantiate(
    call: Call,
    oid: int,
    name: str = "",
    hold: bool = False,
    text: str = "",
    persistent: bool = False,
) -> int:
    """Make a virtual machine from a template; a persistent one from copies of its own."""
    source = call.get("template", oid)
    require(call, use(source))
    if is_yes(source.attribute("VROUTER")):
        raise Refused(Code.ACTION, "Virtual router templates cannot be instantiated")
    extra = parse(text)
    template_id = oid
    if persistent:
        require(call, create("template", call.caller.gid))
        source = copy_template(call, source, name or f"{source.name}-copy", recursive=True, persistent=True)
        template_id = source.oid
    template = copied(source.template)
    template.pop("NAME", None)
    check_restricted(call, extra, "User Template")
    template = merged(template, extra)
    if name:
        template["NAME"] = [name]
    template["TEMPLATE_ID"] = [str(template_id)]
    if persistent:
        template["CLONING_TEMPLATE_ID"] = [str(oid)]
    return made_from(call, template, source.name, hold=hold)


def made_from(call: Call, template: Body, default_name: str, *, hold: bool) -> int:
    """A virtual machine from the completed copy of a template."""
    try:
        return new_vm(call, template, hold=hold, default_name=default_name).oid
    except Refused as refused:
        if refused.code is not Code.INTERNAL:
            raise
        text = f"Error allocating a new virtual machine template. {refused.text}"
        raise Refused(Code.ALLOCATE, text) from refused


TABLE: Table = {
    **common(
        "template",
        allocate=allocate,
        info=info,
        update=update("template", restrictions="VM_RESTRICTED_ATTR"),
        delete=delete,
        chmod=chmod,
        clone=clone,
        instantiate=instantiate,
    ),
    "one.templatepool.info": owned_pool("template"),
}
