"""Zones: this cloud is zone 0; others can be named, not reached.

References: OpenNebula src/rm/api/ZoneAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import admin, create, require
from emulator.errors import Code, Refused
from emulator.objects.shared import info, rename, update, whole_pool
from emulator.template import parse

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table
    from emulator.store import Store

FIRST_ID = 100
ENABLED, DISABLED = 0, 1
RAFT = (
    "<RAFT><SERVER_ID>-1</SERVER_ID><STATE>0</STATE><TERM>0</TERM><VOTEDFOR>-1</VOTEDFOR><COMMIT>0</COMMIT>"
    "<LOG_INDEX>-1</LOG_INDEX><LOG_TERM>-1</LOG_TERM><FEDLOG_INDEX>-1</FEDLOG_INDEX></RAFT>"
)


def is_disabled(store: Store) -> bool:
    """Whether this zone may only be read."""
    zone = store.get("zone", 0)
    return zone is not None and zone.body["STATE"] == DISABLED


def new_zone(store: Store, name: str, template: Body, oid: int | None = None) -> Record:
    """A new zone."""
    if oid is None:
        oid = store.next_id("zone", FIRST_ID)
    body = {"ID": oid, "NAME": name, "STATE": ENABLED, "TEMPLATE": template, "SERVER_POOL": {}}
    return store.add("zone", oid, body)


def allocate(call: Call, text: str) -> int:
    """Refuse: this cloud is no federation, and has no zone but its own."""
    parse(text)
    require(call, create("zone"))
    text = "Error allocating a new zone. New zones can only be created at federation master"
    raise Refused(Code.ALLOCATE, text)


def delete(call: Call, oid: int) -> int:
    """Forget a zone."""
    zone = call.get("zone", oid)
    require(call, admin(zone))
    raise Refused(Code.ACTION, "Cannot delete zone. System Zones (ID < 100) cannot be deleted.")


def raftstatus(call: Call) -> str:  # noqa: ARG001  (a handler's parameter)
    """Show that the front end stands alone."""
    return RAFT


def enable(call: Call, oid: int, enabled: bool) -> int:
    """Let a zone change, or only be read."""
    zone = call.get("zone", oid)
    require(call, admin(zone))
    call.store.edit(zone).body["STATE"] = ENABLED if enabled else DISABLED
    return oid


TABLE: Table = {
    "one.zone.allocate": allocate,
    "one.zone.info": info("zone"),
    "one.zone.update": update("zone", right=admin),
    "one.zone.rename": rename("zone", right=admin),
    "one.zone.delete": delete,
    "one.zone.enable": enable,
    "one.zone.raftstatus": raftstatus,
    "one.zonepool.info": whole_pool("zone"),
}
