"""Groups of virtual machines: roles that keep together or apart.

References: OpenNebula src/vm_group, src/rm/api/VMGroupAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import create, manage, require, use
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects.ownership import owner_body, permissions
from emulator.objects.shared import common, info, owned_pool, update
from emulator.template import parse, take, vectors, whole

if TYPE_CHECKING:
    from emulator.access import Want
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table
    from emulator.store import Store

AFFINITIES = ("AFFINED", "ANTI_AFFINED")
DONE = 6


def roles(group: Record) -> list[dict[str, str]]:
    """The roles of a group."""
    found: list[dict[str, str]] = group.hidden["roles"]
    return found


def view(group: Record) -> Body:
    """The document."""
    shown = [dict(sorted(role.items())) for role in roles(group)]
    return {
        **{key: value for key, value in group.body.items() if key != "TEMPLATE"},
        "ROLES": {"ROLE": shown},
        "TEMPLATE": group.template,
    }


def allocate(call: Call, text: str) -> int:
    """Make a group."""
    template = parse(text)
    require(call, create("vmgroup", call.caller.gid))
    name = take(template, "NAME")
    check_name(call.store, "vmgroup", name, call.caller.uid)
    asked = vectors(template, "ROLE")
    template.pop("ROLE", None)
    made = [_role(role, number) for number, role in enumerate(asked)]
    check_affinities(template, [role["NAME"] for role in made])
    oid = call.store.next_id("vmgroup")
    body = {**owner_body(call.caller, oid, name), "PERMISSIONS": permissions(), "ROLES": {}, "TEMPLATE": template}
    call.store.add("vmgroup", oid, body, {"roles": made, "next_role": len(made)})
    return oid


def _role(asked: dict[str, str], number: int) -> dict[str, str]:
    if not asked.get("NAME"):
        raise Refused(Code.INTERNAL, "Missing NAME in VM group role")
    return {**asked, "ID": str(number)}


def check_affinities(template: Body, names: list[str]) -> None:
    """Refuse affinities between roles that are not there."""
    for key in AFFINITIES:
        for value in template.get(key, []):
            wanted = [name.strip() for name in str(value).split(",")]
            if not set(wanted) <= set(names):
                text = f"Some roles used in {key} attribute ({','.join(wanted)}) are not defined"
                raise Refused(Code.INTERNAL, text)


def _updated(_call: Call, group: Record, _old: Body) -> None:
    group.template.pop("ROLE", None)
    check_affinities(group.template, [role["NAME"] for role in roles(group)])


def delete(call: Call, oid: int) -> int:
    """Delete a group."""
    group = call.get("vmgroup", oid)
    require(call, manage(group))
    used = [
        vm for vm in call.store.all("vm") if vm.state not in {DONE, 2} and _membership(vm).get("VMGROUP_ID") == str(oid)
    ]
    if used:
        raise Refused(Code.ACTION, f"Cannot delete vm group. VM Group has {len(used)} VMs. Cannot be deleted.")
    call.store.remove(group)
    return oid


def roleadd(call: Call, oid: int, text: str) -> int:
    """Add a role."""
    group = call.get("vmgroup", oid)
    require(call, manage(group))
    for asked in vectors(parse(text), "ROLE"):
        if asked.get("NAME") in [role["NAME"] for role in roles(group)]:
            raise Refused(Code.ACTION, "Role already exists")
        call.store.edit(group)
        roles(group).append(_role(asked, group.hidden["next_role"]))
        group.hidden["next_role"] += 1
    return oid


def _find(group: Record, number: int) -> dict[str, str] | None:
    return next((role for role in roles(group) if role["ID"] == str(number)), None)


def roledelete(call: Call, oid: int, number: int) -> int:
    """Remove a role."""
    group = call.get("vmgroup", oid)
    require(call, manage(group))
    role = _find(group, number)
    if role is None:
        raise Refused(Code.ACTION, f"Unable to delete role {number}, the role doesn't exists")
    if role.get("VMS"):
        raise Refused(Code.ACTION, f"Unable to delete role {number}, the role has assigned VMs ")
    names = [one["NAME"] for one in roles(group) if one is not role]
    try:
        check_affinities(group.template, names)
    except Refused as refused:
        raise Refused(Code.ACTION, refused.text) from refused
    call.store.edit(group)
    roles(group).remove(role)
    return oid


def roleupdate(call: Call, oid: int, number: int, text: str) -> int:
    """Change a role."""
    group = call.get("vmgroup", oid)
    require(call, manage(group))
    role = _find(group, number)
    if role is None:
        raise Refused(Code.ACTION, f"VMGroup {oid} doesn't have role {number}")
    for asked in vectors(parse(text), "ROLE"):
        call.store.edit(group)
        role.update({key: value for key, value in asked.items() if key not in {"ID", "VMS", "NAME"}})
    return oid


def _membership(vm: Record) -> dict[str, str]:
    return next(iter(vectors(vm.template, "VMGROUP")), {})


def named_group(call: Call, asked: dict[str, str]) -> Record:
    """The group that a template's VMGROUP asks for."""
    if "VMGROUP_ID" in asked:
        number = whole(asked["VMGROUP_ID"])
        found = call.store.get("vmgroup", number)
        if found is None:
            raise Refused(Code.INTERNAL, f"Virtual machine group with ID: {number} does not exist")
        return found
    name = asked.get("VMGROUP_NAME", "")
    owned = next((one for one in call.store.all("vmgroup") if one.name == name and one.uid == call.caller.uid), None)
    if owned is None:
        raise Refused(Code.INTERNAL, f"User {call.caller.uid} does not own a VMGroup with name: {name}")
    return owned


def wants(call: Call, template: Body) -> list[Want]:
    """The right that a template's VMGROUP needs."""
    return [use(named_group(call, asked)) for asked in vectors(template, "VMGROUP")]


def join(call: Call, vm: Record, template: Body) -> None:
    """Put a virtual machine into the role that its template names."""
    for asked in vectors(template, "VMGROUP"):
        group = named_group(call, asked)
        asked["VMGROUP_ID"] = str(group.oid)
        _enter(call, group, asked.get("ROLE", ""), vm.oid)


def _enter(call: Call, group: Record, name: str, vm_id: int, code: Code = Code.INTERNAL) -> None:
    role = next((one for one in roles(group) if one["NAME"] == name), None)
    if role is None:
        raise Refused(code, "Role does not exist in VM Group")
    call.store.edit(group)
    listed = [*filter(None, role.get("VMS", "").split(",")), str(vm_id)]
    role["VMS"] = ",".join(listed)


def vmgroupadd(call: Call, oid: int, group_id: int, role: str) -> int:
    """Put a virtual machine into a role of a group."""
    vm = call.get("vm", oid)
    group = call.get("vmgroup", group_id)
    require(call, manage(vm), use(group))
    _check_host(call.store, vm, group, role)
    leave(call.store, vm)
    _enter(call, group, role, oid, Code.ACTION)
    call.store.edit(vm).template["VMGROUP"] = [{"ROLE": role, "VMGROUP_ID": str(group_id)}]
    return oid


def _check_host(store: Store, vm: Record, group: Record, name: str) -> None:
    """Refuse a role whose affinities the host of an active virtual machine breaks (VMGroup.cc `check_affinity`)."""
    role = next((one for one in roles(group) if one["NAME"] == name), None)
    host_id = _host_of(vm)
    if role is None or host_id is None:
        return
    words = f"VM {vm.oid} is on host {host_id} but "
    for other, together in _related(group, role):
        policy = "AFFINED" if together else "ANTI_AFFINED"
        how = f"role {name} is {policy}" if other is role else f"it is {policy} with role {other['NAME']}"
        for one, its_host in _placed(store, other, vm.oid):
            if (its_host == host_id) != together:
                where = f"on host {its_host}" if together else "on the same host"
                raise Refused(Code.ACTION, f"{words}{how} and VM {one} is {where}")
    if not _host_suits(role, host_id):
        rules = "HOST_AFFINED/HOST_ANTI_AFFINED rules that are violated by this host"
        raise Refused(Code.ACTION, f"{words}role {name} has {rules}")


def vmgroupdel(call: Call, oid: int) -> int:
    """Take a virtual machine out of its group."""
    vm = call.get("vm", oid)
    require(call, manage(vm))
    leave(call.store, vm)
    call.store.edit(vm).template.pop("VMGROUP", None)
    return oid


def leave(store: Store, vm: Record) -> None:
    """Take a virtual machine out of its role."""
    group = store.get("vmgroup", whole(_membership(vm).get("VMGROUP_ID")))
    if group is None:
        return
    store.edit(group)
    for role in roles(group):
        listed = [one for one in role.get("VMS", "").split(",") if one and one != str(vm.oid)]
        role.pop("VMS", None)
        if listed:
            role["VMS"] = ",".join(listed)


def suits(store: Store, vm: Record, host_id: int) -> bool:
    """Whether a host suits a virtual machine's role: together with, or apart from, others."""
    member = _membership(vm)
    group = store.get("vmgroup", whole(member.get("VMGROUP_ID")))
    if group is None:
        return True
    role = next((one for one in roles(group) if one["NAME"] == member.get("ROLE")), {})
    return _host_suits(role, host_id) and all(
        _apart_or_together(host, host_id, together=together)
        for other, together in _related(group, role)
        for host in _hosts_of(store, other, vm.oid)
    )


def _host_suits(role: dict[str, str], host_id: int) -> bool:
    wanted, barred = role.get("HOST_AFFINED", ""), role.get("HOST_ANTI_AFFINED", "")
    return (not wanted or str(host_id) in wanted.split(",")) and str(host_id) not in barred.split(",")


def _related(group: Record, role: dict[str, str]) -> list[tuple[dict[str, str], bool]]:
    policy = role.get("POLICY", "").upper()
    found = [(role, policy == "AFFINED")] if policy in AFFINITIES else []
    for key in AFFINITIES:
        for value in group.template.get(key, []):
            names = [name.strip() for name in str(value).split(",")]
            if role.get("NAME") in names:
                found += [(one, key == "AFFINED") for one in roles(group) if one["NAME"] in names and one is not role]
    return found


def _hosts_of(store: Store, role: dict[str, str], but: int) -> list[int]:
    return [host for _, host in _placed(store, role, but)]


def _placed(store: Store, role: dict[str, str], but: int) -> list[tuple[int, int]]:
    """The other active virtual machines of a role, each with its host."""
    members = (store.get("vm", int(one)) for one in role.get("VMS", "").split(",") if one and one != str(but))
    return [(vm.oid, host) for vm in members if vm is not None and (host := _host_of(vm)) is not None]


def _host_of(vm: Record) -> int | None:
    history = vm.body["HISTORY_RECORDS"].get("HISTORY", []) if vm.state == 3 else []
    return int(history[-1]["HID"]) if history else None


def _apart_or_together(host: int, candidate: int, *, together: bool) -> bool:
    return (host == candidate) == together


TABLE: Table = {
    **common(
        "vmgroup",
        allocate=allocate,
        info=info("vmgroup", view),
        delete=delete,
        roleadd=roleadd,
        roledelete=roledelete,
        roleupdate=roleupdate,
        update=update("vmgroup", after=_updated),
    ),
    "one.vm.vmgroupadd": vmgroupadd,
    "one.vm.vmgroupdel": vmgroupdel,
    "one.vmgrouppool.info": owned_pool("vmgroup", view),
}
