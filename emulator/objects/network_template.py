"""Templates of virtual networks.

References: OpenNebula src/vn_template, src/rm/api/VNTemplateAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import create, manage, require, use
from emulator.errors import Code, Refused
from emulator.kinds import KINDS
from emulator.naming import check_name, named, taken_text
from emulator.objects.cluster import DEFAULT
from emulator.objects.network import new_network
from emulator.objects.ownership import owner_body, permissions
from emulator.objects.shared import common, owned_pool
from emulator.template import copied, first, parse, take

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table


def new_template(call: Call, name: str, template: Body) -> Record:
    """A new template."""
    oid = call.store.next_id("vntemplate")
    body = {
        **owner_body(call.caller, oid, name),
        "PERMISSIONS": permissions(),
        "REGTIME": call.cloud.clock.seconds(),
        "TEMPLATE": template,
    }
    return call.store.add("vntemplate", oid, body)


def allocate(call: Call, text: str) -> int:
    """Keep a template."""
    template = parse(text)
    require(call, create("vntemplate", call.caller.gid))
    name = take(template, "NAME")
    check_name(call.store, "vntemplate", name, call.caller.uid)
    return new_template(call, name, template).oid


def clone(call: Call, oid: int, name: str) -> int:
    """Copy a template."""
    source = call.get("vntemplate", oid)
    require(call, create("vntemplate", call.caller.gid), use(source))
    check_name(call.store, "vntemplate", name, call.caller.uid)
    return new_template(call, name, copied(source.template)).oid


def delete(call: Call, oid: int) -> int:
    """Delete a template."""
    template = call.get("vntemplate", oid)
    require(call, manage(template))
    call.store.remove(template)
    return oid


def instantiate(call: Call, oid: int, name: str = "", text: str = "") -> int:
    """Make a network from a template; what is added replaces, but address ranges come on top."""
    source = call.get("vntemplate", oid)
    require(call, use(source))
    template = copied(source.template)
    extra = parse(text)
    ranges = [*template.get("AR", []), *extra.get("AR", [])]
    template.update(extra)
    if ranges:
        template["AR"] = ranges
    require(call, create("vn", call.caller.gid))
    template["TEMPLATE_ID"] = [str(oid)]
    clusters = [int(one) for one in take(template, "CLUSTER_IDS").split(",") if one.strip().isdigit()]
    taken = named(call.store, "vn", name or first(template, "NAME"), call.caller.uid)
    if taken is not None:
        text = taken_text(KINDS["vn"], taken)
        raise Refused(Code.ALLOCATE, f"Error allocating a new virtual network template. {text}")
    number = call.store.next_id("vn")
    given = name or take(template, "NAME") or f"{source.name}-{number}"
    template.pop("NAME", None)
    return new_network(call, template, clusters or [DEFAULT], name=given, oid=number).oid


TABLE: Table = {
    **common("vntemplate", allocate=allocate, clone=clone, delete=delete, instantiate=instantiate),
    "one.vntemplatepool.info": owned_pool("vntemplate"),
}
