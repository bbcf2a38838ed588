"""Access rules as objects of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import Want, require, rule_of
from emulator.acl import INDIVIDUAL, MANAGE, Rule
from emulator.document import element
from emulator.errors import Code, Refused

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Record
    from emulator.registry import Table
    from emulator.store import Store

LOCAL_ZONE = INDIVIDUAL | 0


def is_kept(store: Store, rule: Rule) -> bool:
    """Whether a rule is there already."""
    return vars(rule) in [one.hidden for one in store.all("acl")]


def add_rule(store: Store, rule: Rule) -> int:
    """Keep a rule; -1 when it is there already."""
    if is_kept(store, rule):
        return -1
    oid = store.next_id("acl")
    body = {
        "ID": oid,
        "USER": f"{rule.user:x}",
        "RESOURCE": f"{rule.resource:x}",
        "RIGHTS": f"{rule.rights:x}",
        "ZONE": f"{rule.zone:x}",
        "STRING": str(rule),
    }
    store.add("acl", oid, body, vars(rule))
    return oid


def delete_rule(store: Store, rule: Rule) -> None:
    """Forget a rule, if it is there."""
    for one in store.all("acl"):
        if one.hidden == vars(rule):
            store.remove(one)


def delete_rules(store: Store, user: int = -1, resource: int = -1) -> None:
    """Forget all rules for a user (or group), or about a scope of resources, as a rule packs them."""
    for one in store.all("acl"):
        rule = rule_of(one)
        if user == rule.user or (resource != -1 and rule.resource & resource == resource):
            store.remove(one)


def addrule(call: Call, user: str, resource: str, rights: str, zone: str = f"{LOCAL_ZONE:x}") -> int:
    """Add a rule of hexadecimal numbers."""
    require(call, Want(MANAGE, "acl"))
    rule = Rule(*(_number(text) for text in (user, resource, rights, zone)))
    if is_kept(call.store, rule):
        raise Refused(Code.INTERNAL, f"Rule {rule} already exists")
    if rule.mistake:
        raise Refused(Code.INTERNAL, f"Rule {rule} is malformed: {rule.mistake}")
    return add_rule(call.store, rule)


def _number(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return 0


def delrule(call: Call, oid: int) -> int:
    """Delete a rule."""
    require(call, Want(MANAGE, "acl"))
    record = call.store.get("acl", oid)
    if record is None:
        raise Refused(Code.INTERNAL, f"Rule {oid} does not exist")
    call.store.remove(record)
    return oid


def info(call: Call) -> str:
    """Show all rules, by user and then by id."""
    require(call, Want(MANAGE, "acl"))

    def place(record: Record) -> tuple[int, int]:
        return record.hidden["user"], record.oid

    rules = sorted(call.store.all("acl"), key=place)
    return element("ACL_POOL", {"ACL": [one.body for one in rules]})


TABLE: Table = {"one.acl.addrule": addrule, "one.acl.delrule": delrule, "one.acl.info": info}
