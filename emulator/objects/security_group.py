"""Security groups: which packets may pass.

References: OpenNebula src/secgroup/SecurityGroup.cc, src/rm/api/SecurityGroupAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import create, manage, require, use
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects.ownership import owner_body, permissions
from emulator.objects.shared import common, owned_pool, update
from emulator.template import copied, parse, take, vectors

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table

FIRST_ID = 100
PROTOCOLS = ("TCP", "UDP", "ICMP", "ICMPV6", "IPSEC", "ALL")
RULE_TYPES = ("INBOUND", "OUTBOUND")
MAX_PORT = 65536
VM_LISTS = ("UPDATED_VMS", "OUTDATED_VMS", "UPDATING_VMS", "ERROR_VMS")


def new_security_group(call: Call, name: str, template: Body, oid: int | None = None) -> Record:
    """A new security group."""
    bits = "111100100" if oid == 0 else "110000000"
    if oid is None:
        oid = call.store.next_id("secgroup", FIRST_ID)
    body = {
        **owner_body(call.caller, oid, name),
        "PERMISSIONS": permissions(bits),
        **{key: {} for key in VM_LISTS},
        "TEMPLATE": template,
    }
    return call.store.add("secgroup", oid, body)


def check_rules(template: Body) -> None:
    """Refuse rules that OpenNebula cannot carry out."""
    for rule in vectors(template, "RULE"):
        mistake = _mistake(rule)
        if mistake:
            raise Refused(Code.INTERNAL, mistake)


def _mistake(rule: dict[str, str]) -> str:
    if rule.get("PROTOCOL", "").upper() not in PROTOCOLS:
        return f"Wrong PROTOCOL in rule. Valid options: {', '.join(PROTOCOLS)}."
    if rule.get("RULE_TYPE", "").upper() not in RULE_TYPES:
        return f"Wrong RULE_TYPE in rule. Valid options: {', '.join(RULE_TYPES)}."
    if "RANGE" in rule and rule["PROTOCOL"].upper() not in {"TCP", "UDP"}:
        return "RANGE is supported only for TCP and UDP protocols."
    ports = rule.get("RANGE", "0").replace(":", ",").split(",")
    if not all(port.strip().isdigit() for port in ports):
        return "Invalid RANGE in rule."
    return "RANGE out of bounds 0-65536." if any(int(port) > MAX_PORT for port in ports) else ""


def allocate(call: Call, text: str) -> int:
    """Make a security group."""
    template = parse(text)
    require(call, create("secgroup", call.caller.gid))
    name = take(template, "NAME")
    check_name(call.store, "secgroup", name, call.caller.uid)
    check_rules(template)
    return new_security_group(call, name, template).oid


def clone(call: Call, oid: int, name: str) -> int:
    """Copy a security group."""
    source = call.get("secgroup", oid)
    require(call, create("secgroup", call.caller.gid), use(source))
    check_name(call.store, "secgroup", name, call.caller.uid)
    return new_security_group(call, name, copied(source.template)).oid


def commit(call: Call, oid: int, recovery: bool = False) -> int:  # noqa: ARG001  (an API's parameters)
    """Carry new rules to the virtual machines."""
    group = call.get("secgroup", oid)
    require(call, manage(group))
    return oid


def delete(call: Call, oid: int) -> int:
    """Delete a security group that no virtual machine has."""
    group = call.get("secgroup", oid)
    require(call, manage(group))
    if oid == 0:
        text = "Cannot delete security group. The default security group (ID 0) cannot be deleted."
        raise Refused(Code.ACTION, text)
    used = sum(len(group.body[key].get("ID", [])) for key in VM_LISTS)
    if used:
        raise Refused(Code.ACTION, "Cannot delete security group. The security group has VMs using it")
    call.store.remove(group)
    return oid


def _updated(_call: Call, group: Record, _old: Body) -> None:
    check_rules(group.template)


TABLE: Table = {
    **common(
        "secgroup",
        allocate=allocate,
        clone=clone,
        commit=commit,
        delete=delete,
        update=update("secgroup", after=_updated),
    ),
    "one.secgrouppool.info": owned_pool("secgroup"),
}
del TABLE["one.secgroup.lock"], TABLE["one.secgroup.unlock"]
