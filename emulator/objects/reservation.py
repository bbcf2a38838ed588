"""Changing a network's address ranges: adding and removing them, holding addresses back, reserving them.

References: OpenNebula src/rm/api/VirtualNetworkAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import quota
from emulator.access import admin, create, manage, require, use
from emulator.errors import Code, Refused
from emulator.kinds import KINDS
from emulator.naming import name_mistake, named, taken_text
from emulator.objects import address_range
from emulator.objects.network import new_network, ranges
from emulator.template import copied, first, parse, vectors, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.objects.address_range import Range
    from emulator.record import Body, Record
    from emulator.registry import Table

HELD = {"VM": -1}


def range_of(network: Record, number: int) -> Range | None:
    """The range of an AR_ID."""
    return next((one for one in ranges(network) if address_range.number_of(one) == number), None)


def _asked(text: str, name: str = "AR") -> list[dict[str, str]]:
    found = vectors(parse(text), name)
    if not found:
        raise Refused(Code.INTERNAL, f"Wrong {name} definition. {name} vector attribute is missing.")
    return found


def add_ar(call: Call, oid: int, text: str) -> int:
    """Add a range."""
    network = call.get("vn", oid)
    require(call, admin(network))
    for asked in _asked(text):
        if network.body["PARENT_NETWORK_ID"] != "":
            raise Refused(Code.INTERNAL, "Address ranges cannot be added to reservations")
        call.store.edit(network)
        ranges(network).append(address_range.new_range(network.hidden["next_range"], asked))
        network.hidden["next_range"] += 1
    return oid


def update_ar(call: Call, oid: int, text: str) -> int:
    """Change a range."""
    network = call.get("vn", oid)
    require(call, manage(network))
    for asked in _asked(text):
        one = range_of(network, whole(asked.get("AR_ID")))
        if one is None:
            raise Refused(Code.INTERNAL, f"Address Range with ID {asked.get('AR_ID', '')} was not found.")
        call.store.edit(network)
        address_range.updated(one, asked)
    return oid


def rm_ar(call: Call, oid: int, number: int, force: bool = False) -> int:
    """Remove a range without leases."""
    network = call.get("vn", oid)
    require(call, admin(network))
    _remove(call, network, number, force=force)
    return oid


def free_ar(call: Call, oid: int, number: int) -> int:
    """Give a range of a reservation back."""
    network = call.get("vn", oid)
    require(call, manage(network))
    _remove(call, network, number, force=False)
    return oid


def _remove(call: Call, network: Record, number: int, *, force: bool) -> None:
    one = range_of(network, number)
    if one is None:
        raise Refused(Code.INTERNAL, "Address Range does not exist")
    if one["leases"] and not force:
        raise Refused(Code.INTERNAL, "Address Range has leases in use")
    call.store.edit(network)
    ranges(network).remove(one)
    parent = network.body["PARENT_NETWORK_ID"]
    if parent != "":
        _return_addresses(call, network, one, parent)


def _return_addresses(call: Call, network: Record, one: Range, parent_id: int) -> None:
    parent = call.store.edit(call.get("vn", parent_id))
    usage = quota.Usage("NETWORK", str(parent_id), {"LEASES": address_range.size(one)})
    quota.release(call.store, network.uid, network.gid, usage)
    source = range_of(parent, whole(one["attributes"].get("PARENT_NETWORK_AR_ID")))
    if source is None:
        return
    for index in range(address_range.size(one)):
        place = address_range.index_of(source, address_range.address(one, index))
        if source["leases"].get(str(place)) == {"VNET": network.oid}:
            del source["leases"][str(place)]


def hold(call: Call, oid: int, text: str) -> int:
    """Hold an address back, so that no one gets it."""
    network = call.get("vn", oid)
    require(call, manage(network))
    for asked in _asked(text, "LEASES"):
        held = [
            (one, index)
            for one in _searched(network, asked)
            if (index := address_range.index_of(one, asked)) >= 0 and str(index) not in one["leases"]
        ]
        if not held:
            raise Refused(Code.INTERNAL, "Address is not part of the address range or in use.")
        call.store.edit(network)
        for one, index in held:
            address_range.lease(one, index, dict(HELD))
    return oid


def release(call: Call, oid: int, text: str) -> int:
    """Let an address that was held back go."""
    network = call.get("vn", oid)
    require(call, manage(network))
    for asked in _asked(text, "LEASES"):
        call.store.edit(network)
        for one in _searched(network, asked):
            one["touched"] = True
            index = str(address_range.index_of(one, asked))
            if one["leases"].get(index) == HELD:
                del one["leases"][index]
    return oid


def _searched(network: Record, asked: dict[str, str]) -> list[Range]:
    number = asked.get("AR_ID", "")
    return [one for one in ranges(network) if not number or one["attributes"]["AR_ID"] == number]


def reserve(call: Call, oid: int, text: str) -> int:
    """Take addresses into a network of one's own, a new one or one that was reserved before."""
    asked = parse(text)
    target_id, count = whole(first(asked, "NETWORK_ID")), whole(first(asked, "SIZE"), 0)
    parent = call.get("vn", oid)
    target = call.get("vn", target_id) if target_id >= 0 else None
    require(call, *([manage(target)] if target else []), use(parent))
    _check_reservation(asked, parent, target, count)
    if target is None:
        usage = quota.Usage("NETWORK", str(oid), {"LEASES": count})
        quota.charge(call.store, call.caller.uid, call.caller.gid, usage)
        target = _new_reservation(call, asked, parent)
    _take(call, asked, parent, target, count)
    return target.oid


def _check_reservation(asked: Body, parent: Record, target: Record | None, count: int) -> None:
    if parent.body["PARENT_NETWORK_ID"] != "":
        raise Refused(Code.ACTION, "Cannot reserve addresses from a reserved VNET")
    if target is None and not first(asked, "NAME"):
        raise Refused(Code.ACTION, "NAME for reservation has to be set")
    if count <= 0:
        raise Refused(Code.ACTION, "Reservation SIZE must be a greater than 0")
    if target is not None and target.body["PARENT_NETWORK_ID"] != parent.oid:
        raise Refused(Code.ACTION, "Reservation needs to have a common parent")


def _new_reservation(call: Call, asked: Body, parent: Record) -> Record:
    name = first(asked, "NAME")
    holder = named(call.store, "vn", name, call.caller.uid)
    mistake = name_mistake("vn", name) or (taken_text(KINDS["vn"], holder) if holder else "")
    if mistake:
        raise Refused(Code.INTERNAL, mistake)
    require(call, create("vn", call.caller.gid))
    return new_network(call, _inherited(parent), parent.body["CLUSTERS"].get("ID", []), parent.oid, name)


def _inherited(parent: Record) -> Body:
    template = copied(parent.template)
    body = parent.body
    if body["VLAN_ID"]:
        template["VLAN_ID"] = [body["VLAN_ID"]]
    return template


def _take(call: Call, asked: Body, parent: Record, target: Record, count: int) -> None:
    number = first(asked, "AR_ID")
    wanted = {name: first(asked, name) for name in ("IP", "IP6", "MAC") if first(asked, name)}
    call.store.edit(parent)
    call.store.edit(target)
    for one in ranges(parent):
        if number and one["attributes"]["AR_ID"] != number:
            continue
        start = _reserved_from(one, wanted, {"VNET": target.oid}, count)
        if start >= 0:
            ranges(target).append(_part(one, start, count, target.hidden["next_range"]))
            target.hidden["next_range"] += 1
            return
    spent = "" if first(asked, "NETWORK_ID") else "vn"
    raise Refused(Code.ACTION, "Not enough free addresses in an address range", spends=spent)


def _reserved_from(one: Range, wanted: dict[str, str], holder: dict[str, int], count: int) -> int:
    if not wanted:
        return address_range.lease_next(one, holder, count)
    start = address_range.index_of(one, wanted)
    indexes = range(start, start + count)
    if start < 0 or indexes.stop > address_range.size(one) or any(str(index) in one["leases"] for index in indexes):
        return -1
    for index in indexes:
        address_range.lease(one, index, holder)
    return start


def _part(one: Range, start: int, count: int, number: int) -> Range:
    source = one["attributes"]
    attributes = {**source, "AR_ID": str(number), "NEXT_INDEX": "0", "SIZE": str(count)}
    attributes.update({name: value for name, value in address_range.address(one, start).items() if name in source})
    attributes["PARENT_NETWORK_AR_ID"] = source["AR_ID"]
    return {"attributes": attributes, "leases": {}}


TABLE: Table = {
    "one.vn.add_ar": add_ar,
    "one.vn.update_ar": update_ar,
    "one.vn.rm_ar": rm_ar,
    "one.vn.free_ar": free_ar,
    "one.vn.hold": hold,
    "one.vn.release": release,
    "one.vn.reserve": reserve,
}
