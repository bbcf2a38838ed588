"""Whose an object is, who may do what with it, and locks: the same for every kind.

References: OpenNebula src/rm/api/SharedAPI.cc, src/pool/PoolObjectSQL.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.access import admin, manage, require, use
from emulator.errors import Code, Refused
from emulator.kinds import KINDS
from emulator.naming import named

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.call import Call, Caller
    from emulator.record import Body, Record
    from emulator.registry import Handler

BITS = tuple(f"{who}_{what}" for who in ("OWNER", "GROUP", "OTHER") for what in "UMA")
# The element of a document after which LOCK stands, where it is not NAME.
LOCK_AFTER = {
    "vm": "DEPLOY_ID",
    "vrouter": "PERMISSIONS",
    "document": "PERMISSIONS",
    "vmgroup": "PERMISSIONS",
    "hook": "TYPE",
    "marketapp": "GNAME",
}
LOCK_LEVELS = {1: 1, 2: 2, 3: 4, 4: 1}  # as asked for -> the lowest right that it bars


def owner_body(caller: Caller, oid: int, name: str) -> Body:
    """The elements with which the document of an owned object begins."""
    return {
        "ID": oid,
        "UID": caller.uid,
        "GID": caller.gid,
        "UNAME": caller.name,
        "GNAME": caller.group_name,
        "NAME": name,
    }


def permissions(bits: str = "110000000") -> Body:
    """PERMISSIONS as nine digits in the order owner, group, other; use, manage, admin."""
    return {name: int(bit) for name, bit in zip(BITS, bits, strict=True)}


def chmod(kind: str, after: Callable[[Call, Record], None] | None = None) -> Handler:
    """`one.<kind>.chmod`: nine bits, -1 leaves one as it is."""

    def answer(
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
    ) -> int:
        record = call.get(kind, oid)
        bits = (owner_u, owner_m, owner_a, group_u, group_m, group_a, other_u, other_m, other_a)
        change_permissions(call, record, bits)
        if after is not None:
            after(call, record)
        return oid

    return answer


def change_permissions(call: Call, record: Record, bits: tuple[int, ...]) -> None:
    """Set permission bits; to change who administers, one must administer."""
    old: Body = record.body["PERMISSIONS"]
    asked = dict(zip(BITS, bits, strict=True))
    admin_changes = any(asked[name] not in {-1, old[name]} for name in BITS if name.endswith("_A"))
    require(call, admin(record) if admin_changes else manage(record))
    if any(bit not in {-1, 0, 1} for bit in bits):
        raise Refused(Code.INTERNAL, "New permission values must be -1, 0 or 1")
    call.store.edit(record)
    old.update({name: bit for name, bit in asked.items() if bit != -1})


def chown(kind: str, before: Callable[[Call, Record, int, int], None] | None = None) -> Handler:
    """`one.<kind>.chown`; `before` moves quotas, or refuses."""

    def answer(call: Call, oid: int, uid: int, gid: int) -> int:
        for other, other_id in (("user", uid), ("group", gid)):
            if other_id > -1:
                call.get(other, other_id)
        record = call.get(kind, oid)
        change_owner(call, record, -1 if uid == record.uid else uid, -1 if gid == record.gid else gid, before)
        return oid

    return answer


def change_owner(
    call: Call, record: Record, uid: int, gid: int, before: Callable[[Call, Record, int, int], None] | None = None
) -> None:
    """Give an object to a user, a group, or both; -1 leaves one as it is."""
    wants = [manage(record)]
    if uid > -1:
        wants.append(manage(call.get("user", uid)))
    if gid > -1:
        wants.append(use(call.get("group", gid)))
    require(call, *wants)
    if uid > -1:
        _check_unowned(call, record, uid)
    if before is not None:
        before(call, record, uid, gid)
    body = call.store.edit(record).body
    if uid > -1:
        body.update({"UID": uid, "UNAME": call.get("user", uid).name})
    if gid > -1:
        body.update({"GID": gid, "GNAME": call.get("group", gid).name})


def _check_unowned(call: Call, record: Record, uid: int) -> None:
    holder = named(call.store, record.kind, record.name, uid)
    if holder is not None and holder is not record:
        words = KINDS[record.kind].words
        raise Refused(Code.INTERNAL, f"user [{uid}] already owns {words} [{holder.oid}] with NAME {record.name}")


def lock(kind: str) -> Handler:
    """`one.<kind>.lock`; with `test` a lock that is held is not taken over."""

    def answer(call: Call, oid: int, level: int, test: bool = False) -> int:
        record = call.get(kind, oid)
        require(call, manage(record, despite_lock=True))
        if level not in LOCK_LEVELS:
            raise Refused(Code.ACTION, "Wrong lock level specified")
        held: Body = record.body.get("LOCK", {})
        if held and test:
            raise Refused(Code.ACTION, str(held["TIME"]))
        if held and held["OWNER"] != call.caller.uid and not call.caller.is_admin:
            raise Refused(Code.ACTION, "Error trying to lock the resource.")
        place_lock(call, record, LOCK_LEVELS[level])
        return oid

    return answer


def place_lock(call: Call, record: Record, level: int) -> None:
    """Write the lock into the document, where OpenNebula has it for this kind."""
    held = {
        "LOCKED": level,
        "OWNER": call.caller.uid,
        "TIME": call.cloud.clock.seconds(),
        "REQ_ID": call.request_id,
    }
    body: dict[str, Any] = {}
    before = LOCK_AFTER.get(record.kind, "NAME")
    for name, value in record.body.items():
        if name != "LOCK":
            body[name] = value
        if name == before:
            body["LOCK"] = held
    call.store.edit(record).body = body


def unlock(kind: str) -> Handler:
    """`one.<kind>.unlock`."""

    def answer(call: Call, oid: int) -> int:
        record = call.get(kind, oid)
        require(call, manage(record, despite_lock=True))
        held = record.body.get("LOCK")
        if held and held["OWNER"] != call.caller.uid and not call.caller.is_admin:
            raise Refused(Code.ACTION, "Cannot unlock: Lock is owned by another user")
        call.store.edit(record).body.pop("LOCK", None)
        return oid

    return answer
