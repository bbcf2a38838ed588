"""Who may do what: permission bits, access rules and locks, as one mechanism.

References: OpenNebula src/acl/AclManager.cc `authorize`, src/um/AuthRequest.cc, PoolSQL.cc `usr_filter`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.acl import ADMIN, ALL, CLUSTER, CREATE, GROUP, INDIVIDUAL, MANAGE, RIGHTS, USE, Rule
from emulator.errors import Code, Refused
from emulator.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emulator.call import Call, Caller
    from emulator.record import Body, Record
    from emulator.store import Store

BITS = {USE: "U", MANAGE: "M", ADMIN: "A"}


@dataclass(frozen=True)
class Want:
    """A right that a call needs on an object, or on a kind when it makes one."""

    right: int
    kind: str
    record: Record | None = None
    gid: int = -1
    despite_lock: bool = False

    def __str__(self) -> str:
        target = KINDS[self.kind].right + (f" [{self.record.oid}]" if self.record else "")
        return f"Not authorized to perform {RIGHTS[self.right]} {target}"


def use(record: Record, *, despite_lock: bool = False) -> Want:
    """The right to use an object."""
    return Want(USE, record.kind, record, despite_lock=despite_lock)


def manage(record: Record, *, despite_lock: bool = False) -> Want:
    """The right to manage an object."""
    return Want(MANAGE, record.kind, record, despite_lock=despite_lock)


def admin(record: Record) -> Want:
    """The right to administer an object."""
    return Want(ADMIN, record.kind, record)


def create(kind: str, gid: int = -1) -> Want:
    """The right to make an object of a kind, in a group."""
    return Want(CREATE, kind, gid=gid)


def require(call: Call, *wants: Want) -> None:
    """Let the call go on only if its caller has all of these rights.

    Raises
    ------
    Refused
        AUTHORIZATION, naming every right that is missing.
    """
    caller = call.caller
    if caller.is_admin:
        missing = [_locked_text(want) for want in wants if _is_locked(want)]
    else:
        missing = [str(want) for want in wants if not allowed(call.store, caller, want)]
    if missing:
        raise Refused(Code.AUTHORIZATION, f"User [{caller.uid}] : {'; '.join(missing)}.")


def allowed(store: Store, caller: Caller, want: Want) -> bool:
    """Whether a user that is no administrator has a right."""
    if _is_locked(want):
        return False
    if want.record is not None and _bits_allow(caller, want.record, want.right):
        return True
    resources = _resources(want)
    return any(rule.grants(resources, want.right) for rule in rules_of(store, caller))


def rules_of(store: Store, caller: Caller) -> Iterable[Rule]:
    """The access rules that speak of a user."""
    users = {ALL, INDIVIDUAL | caller.uid, *(GROUP | gid for gid in caller.gids)}
    return [rule for rule in map(rule_of, store.all("acl")) if rule.user in users]


def rule_of(record: Record) -> Rule:
    """The rule that an ACL object holds."""
    hidden = record.hidden
    return Rule(hidden["user"], hidden["resource"], hidden["rights"], hidden["zone"])


def visible(call: Call, records: Iterable[Record]) -> list[Record]:
    """The objects that the caller may use."""
    if call.caller.is_admin:
        return list(records)
    rules = [rule for rule in rules_of(call.store, call.caller) if rule.rights & USE]
    return [record for record in records if _may_use(call.caller, record, rules)]


def _may_use(caller: Caller, record: Record, rules: list[Rule]) -> bool:
    if _bits_allow(caller, record, USE):
        return True
    resources = _resources(use(record))
    return any(rule.grants(resources, USE) for rule in rules)


def owner_of(record: Record) -> tuple[int, int]:
    """User and group to whose permission bits an object answers."""
    if record.kind == "user":
        return record.oid, record.gid
    if record.kind == "group":
        return -1, record.oid
    return record.uid, record.gid


def _bits_allow(caller: Caller, record: Record, right: int) -> bool:
    uid, gid = owner_of(record)
    bits = _bits(record)
    letter = BITS.get(right, "-")
    return bool(
        bits.get(f"OTHER_{letter}")
        or (uid == caller.uid and bits.get(f"OWNER_{letter}"))
        or (gid in caller.gids and bits.get(f"GROUP_{letter}"))
    )


def _bits(record: Record) -> Body:
    own: Body = {"user": {"OWNER_U": 1, "OWNER_M": 1}, "group": {"GROUP_U": 1}}.get(record.kind, {})
    return record.body.get("PERMISSIONS", own)  # type: ignore[no-any-return]  # the body is JSON


def _resources(want: Want) -> frozenset[int]:
    bit = KINDS[want.kind].bit
    found = {bit | ALL}
    if want.record is not None:
        found.add(bit | INDIVIDUAL | want.record.oid)
        found.update(bit | CLUSTER | cid for cid in clusters_of(want.record))
    gid = owner_of(want.record)[1] if want.record is not None else want.gid
    if gid >= 0:
        found.add(bit | GROUP | gid)
    return frozenset(found)


def clusters_of(record: Record) -> list[int]:
    """Ids of the clusters that an object is in."""
    if "CLUSTER_ID" in record.body:
        return [record.body["CLUSTER_ID"]]
    return list(record.body.get("CLUSTERS", {}).get("ID", []))


def _is_locked(want: Want) -> bool:
    if want.record is None or want.despite_lock:
        return False
    level: int = want.record.body.get("LOCK", {}).get("LOCKED", 0)
    return 0 < level <= (RANK[want.right])


RANK = {USE: 1, MANAGE: 2, ADMIN: 4, CREATE: 8}


def _locked_text(want: Want) -> str:
    oid = want.record.oid if want.record else -1
    return f"{KINDS[want.kind].right} is locked. [{oid}]"
