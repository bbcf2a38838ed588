"""Virtual data centres: which groups may use which clusters, hosts, datastores and networks.

Membership is carried out as access rules, made and deleted with it.

References: OpenNebula src/vdc/Vdc.cc, src/rm/api/VdcAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import admin, create, require
from emulator.acl import ALL, CLUSTER, GROUP, INDIVIDUAL, MANAGE, USE, Rule, resource
from emulator.errors import Code, Refused
from emulator.kinds import KINDS
from emulator.naming import check_name
from emulator.objects.acl_rule import add_rule, delete_rule
from emulator.objects.shared import info, rename, update, whole_pool
from emulator.template import parse, take

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Handler, Table
    from emulator.store import Store

DEFAULT_VDC = 0
FIRST_ID = 100
EVERY = -10  # instead of an id: all objects of the kind
PLACES = {"cluster": "CLUSTERS", "host": "HOSTS", "datastore": "DATASTORES", "vn": "VNETS"}
# Kind that is held -> kinds that the group may then touch, and how.
GRANTED = {
    "cluster": (("host", MANAGE), ("vn", USE), ("datastore", USE)),
    "host": (("host", MANAGE),),
    "datastore": (("datastore", USE),),
    "vn": (("vn", USE),),
}


def new_vdc(store: Store, name: str, template: Body, oid: int | None = None) -> Record:
    """A new, empty VDC."""
    if oid is None:
        oid = store.next_id("vdc", FIRST_ID)
    places: Body = {place: {} for place in PLACES.values()}
    body: Body = {"ID": oid, "NAME": name, "GROUPS": {}, **places, "TEMPLATE": template}
    return store.add("vdc", oid, body)


def rules(kind: str, zone: int, oid: int, gid: int) -> list[Rule]:
    """The access rules that holding an object of a kind gives a group."""
    scoped = ALL if oid == EVERY else (CLUSTER if kind == "cluster" else INDIVIDUAL) | oid
    return [Rule(GROUP | gid, resource(granted, scoped), right, INDIVIDUAL | zone) for granted, right in GRANTED[kind]]


def held(vdc: Record, kind: str) -> list[tuple[int, int]]:
    """Zone and id of what a VDC holds of a kind."""
    tag = KINDS[kind].tag
    return [(one["ZONE_ID"], one[f"{tag}_ID"]) for one in vdc.body[PLACES[kind]].get(tag, [])]


def _keep(store: Store, vdc: Record, kind: str, pairs: list[tuple[int, int]]) -> None:
    tag = KINDS[kind].tag
    listed = [{"ZONE_ID": zone, f"{tag}_ID": oid} for zone, oid in sorted(pairs)]
    store.edit(vdc).body[PLACES[kind]] = {tag: listed} if listed else {}


def groups(vdc: Record) -> list[int]:
    """Ids of the groups in a VDC."""
    return list(vdc.body["GROUPS"].get("ID", []))


def add_group(store: Store, vdc: Record, gid: int) -> None:
    """Put a group in, and give it what the VDC holds."""
    store.edit(vdc).body["GROUPS"] = {"ID": sorted({*groups(vdc), gid})}
    for kind in PLACES:
        for zone, oid in held(vdc, kind):
            for rule in rules(kind, zone, oid, gid):
                add_rule(store, rule)


def forget_group(store: Store, vdc: Record, gid: int) -> None:
    """Take a group out, and what it was given."""
    if gid not in groups(vdc):
        return
    kept = [one for one in groups(vdc) if one != gid]
    store.edit(vdc).body["GROUPS"] = {"ID": kept} if kept else {}
    for kind in PLACES:
        for zone, oid in held(vdc, kind):
            for rule in rules(kind, zone, oid, gid):
                delete_rule(store, rule)


def forget(store: Store, vdc: Record, kind: str, zone: int, oid: int) -> bool:
    """Take an object out of a VDC; whether it was in."""
    pairs = held(vdc, kind)
    if (zone, oid) not in pairs:
        return False
    _keep(store, vdc, kind, [pair for pair in pairs if pair != (zone, oid)])
    for gid in groups(vdc):
        for rule in rules(kind, zone, oid, gid):
            delete_rule(store, rule)
    return True


def forget_everywhere(store: Store, kind: str, oid: int) -> None:
    """Take a deleted object out of all VDCs."""
    for vdc in store.all("vdc"):
        forget(store, vdc, kind, 0, oid)


def allocate(call: Call, text: str, cluster: int = -1) -> int:  # noqa: ARG001  (an API's parameter)
    """Make a VDC."""
    template = parse(text)
    require(call, create("vdc"))
    name = take(template, "NAME")
    check_name(call.store, "vdc", name)
    return new_vdc(call.store, name, template).oid


def delete(call: Call, oid: int) -> int:
    """Delete a VDC, and the rules that it made."""
    vdc = call.get("vdc", oid)
    require(call, admin(vdc))
    if oid < FIRST_ID:
        raise Refused(Code.ACTION, "Cannot delete VDC. System VDCs (ID < 100) cannot be deleted.")
    for gid in groups(vdc):
        forget_group(call.store, vdc, gid)
    call.store.remove(vdc)
    return oid


def addgroup(call: Call, oid: int, gid: int) -> int:
    """Put a group into a VDC."""
    vdc, group = call.get("vdc", oid), call.get("group", gid)
    require(call, admin(vdc), admin(group))
    if gid in groups(vdc):
        raise Refused(Code.INTERNAL, f"Group {gid} is already assigned to the VDC {oid}")
    add_group(call.store, vdc, gid)
    return oid


def delgroup(call: Call, oid: int, gid: int) -> int:
    """Take a group out of a VDC."""
    vdc, group = call.get("vdc", oid), call.get("group", gid)
    require(call, admin(vdc), admin(group))
    if gid not in groups(vdc):
        raise Refused(Code.INTERNAL, f"Group {gid} is not assigned to the VDC {oid}")
    forget_group(call.store, vdc, gid)
    return oid


def _add(kind: str) -> Handler:
    def answer(call: Call, oid: int, zone: int, target: int) -> int:
        """Give a VDC an object, or with -10 all of its kind."""
        vdc = call.get("vdc", oid)
        call.get("zone", zone)
        wants = [admin(vdc)] if target == EVERY else [admin(vdc), admin(call.get(kind, target))]
        require(call, *wants)
        if (zone, target) in held(vdc, kind):
            words = KINDS[kind].right
            raise Refused(Code.INTERNAL, f"{words} {target} from Zone {zone} is already assigned to the VDC")
        if target == EVERY:
            for pair in [pair for pair in held(vdc, kind) if pair[0] == zone]:
                forget(call.store, vdc, kind, *pair)
        _keep(call.store, vdc, kind, [*held(vdc, kind), (zone, target)])
        for gid in groups(vdc):
            for rule in rules(kind, zone, target, gid):
                add_rule(call.store, rule)
        return oid

    return answer


def _delete(kind: str) -> Handler:
    def answer(call: Call, oid: int, zone: int, target: int) -> int:
        """Take an object from a VDC."""
        vdc = call.get("vdc", oid)
        require(call, admin(vdc))
        if not forget(call.store, vdc, kind, zone, target):
            words = KINDS[kind].right
            raise Refused(Code.INTERNAL, f"{words} {target} from Zone {zone} is not assigned to the VDC ")
        return oid

    return answer


METHOD_WORDS = {"cluster": "cluster", "host": "host", "datastore": "datastore", "vn": "vnet"}
TABLE: Table = {
    "one.vdc.allocate": allocate,
    "one.vdc.info": info("vdc"),
    "one.vdc.update": update("vdc", right=admin),
    "one.vdc.rename": rename("vdc", right=admin),
    "one.vdc.delete": delete,
    "one.vdc.addgroup": addgroup,
    "one.vdc.delgroup": delgroup,
    "one.vdcpool.info": whole_pool("vdc"),
    **{f"one.vdc.add{word}": _add(kind) for kind, word in METHOD_WORDS.items()},
    **{f"one.vdc.del{word}": _delete(kind) for kind, word in METHOD_WORDS.items()},
}
