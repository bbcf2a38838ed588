"""Groups: the tenants of the cloud, with their limits and administrators.

References: OpenNebula src/rm/api/GroupAPI.cc, src/group/Group.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import quota
from emulator.access import admin, create, require, use, visible
from emulator.acl import ADMIN, ALL, CREATE, GROUP, INDIVIDUAL, MANAGE, USE, Rule, resource
from emulator.document import element, elements
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects import cluster_quota
from emulator.objects.acl_rule import add_rule, delete_rule, delete_rules
from emulator.objects.shared import update
from emulator.objects.vdc import DEFAULT_VDC, add_group, forget_group
from emulator.template import parse, vectors

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table
    from emulator.store import Store

MANAGED = "vm vn image template document secgroup vrouter vmgroup backupjob"
FIRST_ID = 100


def new_group(store: Store, name: str, oid: int | None = None) -> Record:
    """A new group without users."""
    if oid is None:
        oid = store.next_id("group", FIRST_ID)
    body: Body = {"ID": oid, "NAME": name, "TEMPLATE": {}, "USERS": {}, "ADMINS": {}}
    return store.add("group", oid, body, {"quotas": {}, "vlans": []})


def allocate(call: Call, name: str) -> int:
    """Make a group; it joins the default VDC."""
    require(call, create("group"))
    check_name(call.store, "group", name)
    group = new_group(call.store, name)
    default = call.store.get("vdc", DEFAULT_VDC)
    if default is not None:
        add_group(call.store, default, group.oid)
    return group.oid


def info(call: Call, oid: int, decrypt: bool = False) -> str:  # noqa: ARG001  (an API's parameters)
    """Show a group; -1 is the caller's own."""
    record = call.get("group", call.caller.gid if oid == -1 else oid)
    require(call, use(record, despite_lock=True))
    return element("GROUP", {**record.body, **quota.shown(record), **vlan_rules(record), **default_limits(call)})


def pool(call: Call) -> str:
    """Show all groups that the caller may see."""
    shown = "".join(
        element("GROUP", one.body) + element("QUOTAS", {"ID": one.oid, **quota.shown(one)}) + elements(vlan_rules(one))
        for one in visible(call, reversed(call.store.all("group")))
    )
    return f"<GROUP_POOL>{shown}{elements(default_limits(call))}</GROUP_POOL>"


def vlan_rules(record: Record) -> Body:
    """VLAN_RULES."""
    return {"VLAN_RULES": {"ID": str(record.oid), **({"VLAN": vlans} if (vlans := record.hidden["vlans"]) else {})}}


def default_limits(call: Call) -> Body:
    """DEFAULT_GROUP_QUOTAS."""
    return {"DEFAULT_GROUP_QUOTAS": quota.shown_quotas(quota.default_quotas(call.store, "group"))}


def delete(call: Call, oid: int) -> int:
    """Delete a group without users, and all rules that speak of it."""
    record = call.get("group", oid)
    require(call, admin(record))
    if oid < FIRST_ID:
        raise Refused(Code.ACTION, "Cannot delete group. System Groups (ID < 100) cannot be deleted.")
    if record.body["USERS"]:
        raise Refused(Code.ACTION, f"Cannot delete group. Group {oid} is not empty.")
    delete_rules(call.store, user=GROUP | oid)
    delete_rules(call.store, resource=GROUP | oid)
    for vdc in call.store.all("vdc"):
        forget_group(call.store, vdc, oid)
    call.store.remove(record)
    return oid


def set_quota(call: Call, oid: int, text: str) -> int:
    """Set limits."""
    record = call.get("group", oid)
    require(call, admin(record))
    if oid == 0:
        raise Refused(Code.ACTION, "Cannot set quotas for oneadmin group")
    clusters = frozenset(one.oid for one in call.store.all("cluster"))
    quota.set_limits(call.store.edit(record).hidden.setdefault("quotas", {}), text, clusters=clusters)
    cluster_quota.recount(call.store, record)
    return oid


def set_vlans(call: Call, oid: int, text: str) -> int:
    """Set which VLAN ids networks of the group may have."""
    record = call.get("group", oid)
    require(call, admin(record))
    call.store.edit(record).hidden["vlans"] = vectors(parse(text), "VLAN")
    return oid


def admin_rules(uid: int, gid: int) -> list[Rule]:
    """What an administrator of a group may do: four rules."""
    user = INDIVIDUAL | uid
    return [
        Rule(user, resource("user", GROUP | gid), USE | MANAGE | ADMIN | CREATE, ALL),
        Rule(user, resource(MANAGED, GROUP | gid), USE | MANAGE, ALL),
        Rule(user, resource("vrouter", ALL), CREATE, ALL),
        Rule(user, resource("group", INDIVIDUAL | gid), MANAGE, ALL),
    ]


def addadmin(call: Call, oid: int, uid: int) -> int:
    """Make a member an administrator of the group."""
    group, user = call.get("group", oid), call.get("user", uid)
    require(call, admin(group), admin(user))
    if oid not in user.body["GROUPS"]["ID"]:
        raise Refused(Code.INTERNAL, f"Cannot edit group. User {uid} is not part of Group {oid}.")
    admins = group.body["ADMINS"].get("ID", [])
    if uid in admins:
        raise Refused(Code.INTERNAL, f"Cannot edit group. User {uid} is already an administrator of Group {oid}.")
    call.store.edit(group).body["ADMINS"] = {"ID": sorted({*admins, uid})}
    for rule in admin_rules(uid, oid):
        add_rule(call.store, rule)
    return oid


def deladmin(call: Call, oid: int, uid: int) -> int:
    """Make an administrator of the group a plain member."""
    group, user = call.get("group", oid), call.get("user", uid)
    require(call, admin(group), admin(user))
    admins = group.body["ADMINS"].get("ID", [])
    if uid not in admins:
        raise Refused(Code.INTERNAL, f"Cannot edit group. User {uid} is not an administrator of Group {oid}.")
    kept = [one for one in admins if one != uid]
    call.store.edit(group).body["ADMINS"] = {"ID": kept} if kept else {}
    for rule in admin_rules(uid, oid):
        delete_rule(call.store, rule)
    return oid


TABLE: Table = {
    "one.group.allocate": allocate,
    "one.group.info": info,
    "one.group.update": update("group"),
    "one.group.delete": delete,
    "one.group.quota": set_quota,
    "one.group.vlan": set_vlans,
    "one.group.addadmin": addadmin,
    "one.group.deladmin": deladmin,
    "one.grouppool.info": pool,
}
