"""Users: accounts of the cloud.

References: OpenNebula src/rm/api/UserAPI.cc, src/um/User.cc.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from emulator import quota
from emulator.access import Want, admin, create, manage, require, use, visible
from emulator.acl import INDIVIDUAL
from emulator.document import element, elements
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects import cluster_quota
from emulator.objects.acl_rule import delete_rules
from emulator.objects.session import digest
from emulator.objects.shared import update

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table
    from emulator.store import Store

FORBIDDEN_CHARACTERS = " \t\n\v\f\r"
ONEADMIN = 0
USERS_GROUP = 1


def new_user(store: Store, name: str, password: str, driver: str, gids: list[int]) -> Record:
    """A new account; the first group is its primary one."""
    oid = store.next_id("user")
    primary = store.get("group", gids[0])
    body = {
        "ID": oid,
        "GID": gids[0],
        "GROUPS": {"ID": sorted(set(gids))},
        "GNAME": primary.name if primary else "",
        "NAME": name,
        "PASSWORD": kept_password(driver, password),
        "AUTH_DRIVER": driver,
        "ENABLED": 1,
        "TEMPLATE": {"TOKEN_PASSWORD": [secrets.token_hex(32)]},
    }
    for gid in gids:
        _join(store, gid, oid)
    return store.add("user", oid, body, {"quotas": {}, "tokens": []})


def kept_password(driver: str, password: str) -> str:
    """What is kept of a password: its digest where OpenNebula checks it itself."""
    return digest(password) if driver in {"core", "server_cipher"} else password


def _join(store: Store, gid: int, uid: int) -> None:
    group = store.get("group", gid)
    if group is not None:
        members = store.edit(group).body["USERS"]
        members["ID"] = sorted({*members.get("ID", []), uid})


def _leave(store: Store, gid: int, uid: int) -> None:
    group = store.get("group", gid)
    if group is None:
        return
    for place in ("USERS", "ADMINS"):
        members = store.edit(group).body[place]
        kept = [one for one in members.get("ID", []) if one != uid]
        group.body[place] = {"ID": kept} if kept else {}


def allocate(call: Call, name: str, password: str, driver: str = "core", groups: list[int] = []) -> int:  # noqa: B006  (never changed)
    """Make an account."""
    gids = [int(gid) for gid in groups]
    wanted = [call.get("group", gid) for gid in gids]
    wants: list[Want] = [create("user", call.caller.gid)]
    wants += [manage(group) for group in wanted if group.oid != call.caller.gid or not call.caller.is_admin]
    require(call, *wants)
    check_name(call.store, "user", name)
    if not password:
        raise Refused(Code.INTERNAL, "Invalid password, it cannot be empty.")
    return new_user(call.store, name, password, driver or "core", gids or [USERS_GROUP]).oid


def info(call: Call, oid: int, decrypt: bool = False) -> str:  # noqa: ARG001  (an API's parameters)
    """Show an account; -1 is the caller's own."""
    record = call.get("user", call.caller.uid if oid == -1 else oid)
    require(call, use(record, despite_lock=True))
    return element("USER", {**view(record), **quota.shown(record), **default_limits(call)})


def pool(call: Call) -> str:
    """Show all accounts that the caller may see."""
    shown = "".join(
        element("USER", view(one)) + element("QUOTAS", {"ID": one.oid, **quota.shown(one)})
        for one in visible(call, reversed(call.store.all("user")))
    )
    return f"<USER_POOL>{shown}{elements(default_limits(call))}</USER_POOL>"


def default_limits(call: Call) -> Body:
    """DEFAULT_USER_QUOTAS."""
    return {"DEFAULT_USER_QUOTAS": quota.shown_quotas(quota.default_quotas(call.store, "user"))}


def view(record: Record) -> Body:
    """What a document shows of an account."""
    body = dict(record.body)
    template = body.pop("TEMPLATE")
    tokens = record.hidden.get("tokens", [])
    return {**body, **({"LOGIN_TOKEN": tokens} if tokens else {}), "TEMPLATE": template}


def delete(call: Call, oid: int) -> int:
    """Delete an account, and the rules that speak of it."""
    record = call.get("user", oid)
    require(call, admin(record))
    if oid == ONEADMIN:
        raise Refused(Code.ACTION, "Cannot delete user. oneadmin cannot be deleted.")
    for gid in record.body["GROUPS"]["ID"]:
        _leave(call.store, gid, oid)
    delete_rules(call.store, user=INDIVIDUAL | oid)
    call.store.remove(record)
    return oid


def passwd(call: Call, oid: int, password: str) -> int:
    """Set a password."""
    record = call.get("user", oid)
    require(call, manage(record))
    driver = record.body["AUTH_DRIVER"]
    about = call.cloud.configuration.vector("AUTH_MAD_CONF", driver) or {}
    if about.get("PASSWORD_CHANGE") != "YES" and not call.caller.is_admin:
        raise Refused(Code.ACTION, f"Password for driver {driver} cannot be changed.")
    _set_password(call, record, driver, password)
    return oid


def _set_password(call: Call, record: Record, driver: str, password: str) -> None:
    if not password:
        raise Refused(Code.ACTION, "Invalid password, it cannot be empty")
    bad = next((letter for letter in password if letter in FORBIDDEN_CHARACTERS), "")
    if bad and driver != "x509":
        raise Refused(Code.ACTION, f"Invalid password, character '{bad}' is not allowed")
    call.store.edit(record).body["PASSWORD"] = kept_password(driver, password)


def chauth(call: Call, oid: int, driver: str, password: str = "") -> int:
    """Set how an account authenticates."""
    record = call.get("user", oid)
    require(call, admin(record))
    call.store.edit(record).body["AUTH_DRIVER"] = driver
    if password:
        _set_password(call, record, driver, password)
    return oid


def enable(call: Call, oid: int, enabled: bool) -> int:
    """Let an account in, or not."""
    record = call.get("user", oid)
    require(call, admin(record))
    if oid == ONEADMIN:
        raise Refused(Code.ACTION, "Cannot enable/disable oneadmin user")
    call.store.edit(record).body["ENABLED"] = int(enabled)
    return oid


def set_quota(call: Call, oid: int, text: str) -> int:
    """Set limits."""
    record = call.get("user", oid)
    require(call, admin(record))
    if oid == ONEADMIN:
        raise Refused(Code.ACTION, "Cannot set quotas for oneadmin user")
    clusters = frozenset(one.oid for one in call.store.all("cluster"))
    quota.set_limits(call.store.edit(record).hidden.setdefault("quotas", {}), text, clusters=clusters)
    cluster_quota.recount(call.store, record)
    return oid


def addgroup(call: Call, oid: int, gid: int) -> int:
    """Put an account into one more group."""
    record, group = call.get("user", oid), call.get("group", gid)
    require(call, manage(record), manage(group))
    groups = record.body["GROUPS"]
    if gid in groups["ID"]:
        raise Refused(Code.ACTION, "User is already in this group")
    call.store.edit(record)
    groups["ID"] = sorted({*groups["ID"], gid})
    _join(call.store, gid, oid)
    return oid


def delgroup(call: Call, oid: int, gid: int) -> int:
    """Take an account out of a group that is not its primary one."""
    record, group = call.get("user", oid), call.get("group", gid)
    require(call, manage(record), manage(group))
    groups = record.body["GROUPS"]
    if gid not in groups["ID"]:
        raise Refused(Code.ACTION, "User is not part of this group")
    if gid == record.gid:
        raise Refused(Code.ACTION, "Cannot remove user from the primary group")
    call.store.edit(record)
    groups["ID"].remove(gid)
    _leave(call.store, gid, oid)
    return oid


def chgrp(call: Call, oid: int, gid: int) -> int:
    """Set the primary group; the old one is left, unless the new one was a secondary one already."""
    record = call.get("user", oid)
    if gid < 0:
        raise Refused(Code.API, "Wrong group ID")
    group = call.get("group", gid)
    if oid == ONEADMIN:
        text = "user [0] oneadmin cannot be moved outside of the group [0] oneadmin"
        raise Refused(Code.INTERNAL, text)
    require(call, manage(record), use(group))
    old = record.gid
    if old == gid:
        return oid
    groups = call.store.edit(record).body["GROUPS"]
    was_in = gid in groups["ID"]
    record.body.update({"GID": gid, "GNAME": group.name})
    groups["ID"] = sorted({*groups["ID"], gid} - (set() if was_in else {old}))
    _join(call.store, gid, oid)
    if not was_in:
        _leave(call.store, old, oid)
    return oid


TABLE: Table = {
    "one.user.allocate": allocate,
    "one.user.info": info,
    "one.user.update": update("user", restrictions="USER_RESTRICTED_ATTR"),
    "one.user.delete": delete,
    "one.user.passwd": passwd,
    "one.user.chauth": chauth,
    "one.user.enable": enable,
    "one.user.quota": set_quota,
    "one.user.addgroup": addgroup,
    "one.user.delgroup": delgroup,
    "one.user.chgrp": chgrp,
    "one.userpool.info": pool,
}
