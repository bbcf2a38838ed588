"""Documents: anything that a client wants to keep in the cloud, under a type of its own.

References: OpenNebula src/rm/api/DocumentAPI.cc, src/document/Document.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import create, manage, require, use
from emulator.naming import check_name
from emulator.objects.ownership import owner_body, permissions
from emulator.objects.shared import chosen, common, pool_document
from emulator.template import copied, parse, take

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table


def new_document(call: Call, name: str, kind: int, template: Body) -> Record:
    """A new document; without a name it is called by its id."""
    oid = call.store.next_id("document")
    body = {
        **owner_body(call.caller, oid, name or f"document-{oid}"),
        "TYPE": kind,
        "PERMISSIONS": permissions(),
        "TEMPLATE": template,
    }
    return call.store.add("document", oid, body)


def allocate(call: Call, text: str, kind: int) -> int:
    """Keep a document."""
    template = parse(text)
    require(call, create("document", call.caller.gid))
    name = take(template, "NAME")
    if name:
        check_name(call.store, "document", name)
    return new_document(call, name, kind, template).oid


def clone(call: Call, oid: int, name: str) -> int:
    """Copy a document."""
    source = call.get("document", oid)
    require(call, create("document", call.caller.gid), use(source))
    return new_document(call, name, source.body["TYPE"], copied(source.template)).oid


def delete(call: Call, oid: int) -> int:
    """Delete a document."""
    document = call.get("document", oid)
    require(call, manage(document))
    call.store.remove(document)
    return oid


def pool(call: Call, filter_flag: int, start: int, end: int, kind: int) -> str:
    """Show documents of a type."""
    records = chosen(call, "document", filter_flag, start, end, lambda one: one.body["TYPE"] == kind)
    return pool_document("document", records, None)


TABLE: Table = {
    **common("document", allocate=allocate, clone=clone, delete=delete),
    "one.documentpool.info": pool,
}
