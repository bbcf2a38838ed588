"""Virtual routers: groups of virtual machines that route between networks, with floating addresses.

References: OpenNebula src/vrouter/VirtualRouter.cc, src/rm/api/VirtualRouterAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import quota
from emulator.access import create, manage, require, use
from emulator.document import ids
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects import address_range, vm_nic
from emulator.objects.network import ranges
from emulator.objects.ownership import chmod, owner_body, permissions
from emulator.objects.shared import common, owned_pool, update
from emulator.objects.vm_action import act, terminate
from emulator.objects.vm_nic_change import attach_to, detach_from
from emulator.objects.vm_template import made_from
from emulator.template import copied, first, is_yes, merged, parse, take, vectors, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.access import Want
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table

Nic = dict[str, str]
FLOATING = {"IP": "VROUTER_IP", "MAC": "VROUTER_MAC", "IP6_GLOBAL": "VROUTER_IP6_GLOBAL", "IP6_ULA": "VROUTER_IP6_ULA"}


def allocate(call: Call, text: str) -> int:
    """Make a virtual router; it has no virtual machines yet."""
    template = parse(text)
    require(call, create("vrouter", call.caller.gid), *_network_rights(call, template))
    name = take(template, "NAME")
    check_name(call.store, "vrouter", name)
    nics = vectors(template, "NIC")
    oid = call.store.next_id("vrouter")
    for number, nic in enumerate(nics):
        _complete(call, oid, nic, number)
    body = {**owner_body(call.caller, oid, name), "PERMISSIONS": permissions(), "VMS": {}, "TEMPLATE": template}
    call.store.add("vrouter", oid, body)
    return oid


def _network_rights(call: Call, template: Body) -> list[Want]:
    return [use(vm_nic.network_of(call, nic, call.caller.uid)) for nic in vectors(template, "NIC")]


def _complete(call: Call, oid: int, nic: Nic, number: int) -> None:
    network = vm_nic.network_of(call, nic, call.caller.uid)
    nic.update({"NETWORK": network.name, "NETWORK_ID": str(network.oid), "NIC_ID": str(number)})
    listed = {*network.body["VROUTERS"].get("ID", []), oid}
    call.store.edit(network).body["VROUTERS"] = ids([*listed])
    if is_yes(nic.get("FLOATING_IP", "")):
        quota.charge(call.store, call.caller.uid, call.caller.gid, _floating_usage(nic))
        one, index = vm_nic.leased(call, network, nic, {"VROUTER": oid})
        found = address_range.address(one, index)
        nic["AR_ID"] = one["attributes"]["AR_ID"]
        nic.update({name: found[key] for key, name in FLOATING.items() if key in found})
        nic.pop("IP", None)


def _floating_usage(nic: Nic) -> quota.Usage:
    return quota.Usage("NETWORK", nic["NETWORK_ID"], {"LEASES": 1})


def _machines(router: Record) -> list[int]:
    found: list[int] = router.body["VMS"].get("ID", [])
    return list(found)


def instantiate(call: Call, oid: int, count: int, template_id: int, name: str, hold: bool, text: str) -> int:
    """Make a router's virtual machines from a template that is meant for it."""
    router = call.get("vrouter", oid)
    if template_id == -1:
        template_id = whole(router.attribute("TEMPLATE_ID"))
    if template_id == -1:
        text = "A template ID was not provided, and the virtual router does not have a default one"
        raise Refused(Code.ACTION, text)
    require(call, manage(router))
    source = call.get("template", template_id)
    if not is_yes(source.attribute("VROUTER")):
        raise Refused(Code.ACTION, "Only virtual router templates are allowed")
    require(call, use(source))
    pattern = name or f"vr-{router.name}-%i"
    made = [_machine(call, router, source, pattern.replace("%i", str(number)), parse(text)) for number in range(count)]
    body = call.store.edit(router).body
    body["VMS"] = ids([*_machines(router), *made])
    body["TEMPLATE"]["TEMPLATE_ID"] = [str(template_id)]
    for vm_id in made if not hold else []:
        act(call, "release", vm_id)
    return oid


def _machine(call: Call, router: Record, source: Record, name: str, extra: Body) -> int:
    template = merged(copied(source.template), extra)
    template.pop("NIC", None)
    nics = copied(router.template).get("NIC", [])
    number = first(router.template, "KEEPALIVED_ID") or str(router.oid % 255 + 1)
    own = {"NAME": name, "TEMPLATE_ID": str(source.oid), "VROUTER_ID": str(router.oid), "VROUTER_KEEPALIVED_ID": number}
    own["VROUTER_KEEPALIVED_PASSWORD"] = first(router.template, "KEEPALIVED_PASSWORD")
    template.update({key: [value] for key, value in own.items() if value})
    return made_from(call, {**template, **({"NIC": nics} if nics else {})}, source.name, hold=True)


def attachnic(call: Call, oid: int, text: str) -> int:
    """Attach an interface to a router and its virtual machines."""
    template = parse(text)
    router = call.get("vrouter", oid)
    require(call, manage(router), *_network_rights(call, template))
    nics = vectors(template, "NIC")
    if "NIC_ALIAS" in template:
        raise Refused(Code.ACTION, "Alias can't be attached to virtual router.")
    if len(nics) != 1:
        raise Refused(Code.ACTION, "The template must contain one NIC attribute")
    held = call.store.edit(router).template.setdefault("NIC", [])
    number = max((whole(nic["NIC_ID"]) for nic in vectors(router.template, "NIC")), default=-1) + 1
    _complete(call, oid, nics[0], number)
    held.append(nics[0])
    _each(router, lambda vm_id: attach_to(call, call.get("vm", vm_id), "NIC", dict(nics[0])))
    return oid


def _each(router: Record, change: Callable[[int], None]) -> None:
    """Change all virtual machines; what one refuses stays done to the router, as OpenNebula has it."""
    for vm_id in _machines(router):
        try:
            change(vm_id)
        except Refused as refused:
            raise Refused(Code.ACTION, refused.text, keeps=True) from refused


def detachnic(call: Call, oid: int, number: int) -> int:
    """Detach an interface from a router and its virtual machines."""
    router = call.get("vrouter", oid)
    require(call, manage(router))
    nic = next((one for one in vectors(router.template, "NIC") if one["NIC_ID"] == str(number)), None)
    if nic is None:
        raise Refused(Code.ACTION, f"NIC with NIC_ID {number} does not exist.")
    call.store.edit(router)
    _drop(call, router, nic)
    kept = [one for one in router.template.pop("NIC") if one is not nic]
    if kept:
        router.template["NIC"] = kept
    _each(router, lambda vm_id: detach_from(call, call.get("vm", vm_id), number))
    return oid


def _drop(call: Call, router: Record, nic: Nic) -> None:
    network = call.store.get("vn", whole(nic["NETWORK_ID"]))
    if network is None:
        return
    body = call.store.edit(network).body
    others = [one for one in vectors(router.template, "NIC") if one is not nic]
    if nic["NETWORK_ID"] not in [one["NETWORK_ID"] for one in others]:
        body["VROUTERS"] = ids([one for one in body["VROUTERS"].get("ID", []) if one != router.oid])
    if "VROUTER_MAC" in nic:
        quota.release(call.store, router.uid, router.gid, _floating_usage(nic))
        for one in ranges(network):
            index = str(address_range.index_of(one, {"MAC": nic["VROUTER_MAC"]}))
            one["leases"].pop(index, None)


def _look_for_machines(call: Call, router: Record) -> None:
    """OpenNebula then looks for routers with the ids of its virtual machines, and reports that there are none."""
    missing = [vm_id for vm_id in _machines(router) if call.store.get("vrouter", vm_id) is None]
    if missing:
        raise Refused(Code.NO_EXISTS, f"Error getting virtual router [{missing[-1]}].", missing[-1], keeps=True)


def delete(call: Call, oid: int) -> int:
    """Delete a router; its virtual machines end."""
    router = call.get("vrouter", oid)
    require(call, manage(router))
    for nic in vectors(router.template, "NIC"):
        _drop(call, router, nic)
    call.store.remove(router)
    for vm_id in _machines(router):
        vm = call.store.get("vm", vm_id)
        if vm is not None:
            terminate(call, vm, "terminate-hard", hard=True)
    return oid


def _keep_nics(_call: Call, router: Record, old: Body) -> None:
    """Interfaces are attached and detached, not written."""
    router.template.pop("NIC", None)
    if "NIC" in old:
        router.template["NIC"] = old["NIC"]


TABLE: Table = {
    **common(
        "vrouter",
        update=update("vrouter", after=_keep_nics),
        allocate=allocate,
        instantiate=instantiate,
        attachnic=attachnic,
        detachnic=detachnic,
        chmod=chmod("vrouter", after=_look_for_machines),
        delete=delete,
    ),
    "one.vrouterpool.info": owned_pool("vrouter"),
}
