"""Virtual networks: allocation, update and deletion.

References: OpenNebula src/vnm/VirtualNetwork.cc, src/rm/api/VirtualNetworkAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import quota
from emulator.access import Want, admin, create, manage, require
from emulator.document import ids
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects import address_range
from emulator.objects.cluster import DEFAULT, join, leave_all
from emulator.objects.ownership import chown, owner_body, permissions
from emulator.objects.shared import common, info, owned_pool, update
from emulator.objects.vdc import forget_everywhere
from emulator.template import first, is_yes, parse, restricted, take, vectors

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud, Event
    from emulator.objects.address_range import Range
    from emulator.record import Body, Record
    from emulator.registry import Table

INIT, READY, LOCK_CREATE = "0", "1", "2"
NEEDS_PHYDEV = {"802.1Q", "vxlan"}
NEEDS_BRIDGE = {"dummy"}
NEEDS_OUTER = {"ovswitch_vxlan"}
VM_LISTS = ("UPDATED_VMS", "OUTDATED_VMS", "UPDATING_VMS", "ERROR_VMS")


def ranges(network: Record) -> list[Range]:
    """The network's address ranges."""
    found: list[Range] = network.hidden["ranges"]
    return found


def view(network: Record) -> Body:
    """The document, with what the ranges add."""
    shown = [address_range.shown(one) for one in ranges(network)]
    used = sum(map(address_range.used, ranges(network)))
    return {**network.body, "USED_LEASES": used, "AR_POOL": {"AR": shown} if shown else {}}


def pool_view(network: Record) -> Body:
    """The document as pools show it."""
    kept = [address_range.kept(one) for one in ranges(network)]
    used = sum(map(address_range.used, ranges(network)))
    return {**network.body, "USED_LEASES": used, "AR_POOL": {"AR": kept} if kept else {}}


def new_network(
    call: Call, template: Body, clusters: list[int], parent: int | str = "", name: str = "", oid: int | None = None
) -> Record:
    """A new network from a template, in clusters."""
    if oid is None:
        oid = call.store.next_id("vn")
    asked = vectors(template, "AR")
    template.pop("AR", None)
    template_id = take(template, "TEMPLATE_ID")
    links = _links(call.cloud, template, oid)
    is_wired = parent != ""  # a reservation is there at once
    body = {
        **owner_body(call.caller, oid, name),
        "PERMISSIONS": permissions(),
        "CLUSTERS": ids(clusters),
        "BRIDGE": links["BRIDGE"],
        "BRIDGE_TYPE": links["BRIDGE_TYPE"],
        "STATE": READY if is_wired else LOCK_CREATE,
        "PREV_STATE": READY if is_wired else INIT,
        "PARENT_NETWORK_ID": parent,
        "TEMPLATE_ID": template_id,
        **{key: links[key] for key in ("VN_MAD", "PHYDEV", "VLAN_ID", "OUTER_VLAN_ID")},
        "VLAN_ID_AUTOMATIC": int(links["VLAN_ID_AUTOMATIC"]),
        "OUTER_VLAN_ID_AUTOMATIC": int(links["OUTER_VLAN_ID_AUTOMATIC"]),
        "USED_LEASES": 0,
        "VROUTERS": {},
        **{key: {} for key in VM_LISTS},
        "TEMPLATE": template,
        "AR_POOL": {},
    }
    made = [address_range.new_range(number, one) for number, one in enumerate(asked)]
    for cluster_id in clusters:
        join(call.store, call.get("cluster", cluster_id), "vn", oid)
    network = call.store.add("vn", oid, body, {"ranges": made, "next_range": len(made)})
    if is_wired:
        _note_vlans(network)
    else:
        call.cloud.later(0.0, "vn.created", oid)
    return network


def created(cloud: Cloud, oid: int, _arguments: Body) -> None:
    """The driver has made the network."""
    network = cloud.store.get("vn", oid)
    if network is None:
        return
    cloud.store.edit(network).body.update({"STATE": READY, "PREV_STATE": READY})
    _note_vlans(network)


def _note_vlans(network: Record) -> None:
    for key in ("VLAN_ID", "OUTER_VLAN_ID"):
        if network.body[f"{key}_AUTOMATIC"] == 0:
            network.template.setdefault(key, [network.body[key]])


def _links(cloud: Cloud, template: Body, oid: int) -> dict[str, str]:
    """How the network reaches the wire; the template is completed by it."""
    driver = first(template, "VN_MAD")
    if not driver:
        raise Refused(Code.INTERNAL, "No VN_MAD in template for Virtual Network.")
    bridge_type = _bridge_type(cloud, driver, take(template, "BRIDGE_TYPE"))
    links = {"VN_MAD": driver, "PHYDEV": take(template, "PHYDEV"), "BRIDGE_TYPE": bridge_type}
    bridge = take(template, "BRIDGE")
    for key in ("VLAN_ID", "OUTER_VLAN_ID"):
        links[key] = take(template, key)
        automatic = is_yes(take(template, f"AUTOMATIC_{key}")) and not links[key]
        links[f"{key}_AUTOMATIC"] = str(int(automatic))
    _check_links(links, bridge)
    links["BRIDGE"] = bridge or "onebr" + (f".{links['VLAN_ID']}" if links["VLAN_ID"] else str(oid))
    for key in ("VLAN_ID", "OUTER_VLAN_ID"):
        if links[f"{key}_AUTOMATIC"] == "1":
            links[key] = str(_automatic_vlan(cloud, driver, oid))
        elif links[key]:
            template[key] = [links[key]]
    template.update({key: [links[key]] for key in ("VN_MAD", "PHYDEV", "BRIDGE", "BRIDGE_TYPE")})
    groups = {group.strip() for group in f"{take(template, 'SECURITY_GROUPS')},0".split(",") if group.strip()}
    template["SECURITY_GROUPS"] = [",".join(sorted(groups, key=int))]
    return links


def _bridge_type(cloud: Cloud, driver: str, asked: str) -> str:
    about = cloud.configuration.vector("VN_MAD_CONF", driver)
    if about is None:
        raise Refused(Code.INTERNAL, f'VN_MAD named "{driver}" is not defined in oned.conf')
    known = about["BRIDGE_TYPE"].split(",")
    if asked and asked not in known:
        text = f"No valid BRIDGE_TYPE: {asked} for VN_MAD {driver}. Valid types: {about['BRIDGE_TYPE']}"
        raise Refused(Code.INTERNAL, text)
    return asked or known[0]


def _check_links(links: dict[str, str], bridge: str) -> None:
    driver = links["VN_MAD"]
    missing = [
        word
        for word, wrong in (
            ("PHYDEV is", driver in NEEDS_PHYDEV and not links["PHYDEV"]),
            ("BRIDGE is", driver in NEEDS_BRIDGE and not bridge),
            ("VLAN_ID (or AUTOMATIC_VLAN_ID) is", driver in NEEDS_PHYDEV and not _numbered(links, "VLAN_ID")),
            ("OUTER_VLAN_ID (or AUTOMATIC) is", driver in NEEDS_OUTER and not _numbered(links, "OUTER_VLAN_ID")),
        )
        if wrong
    ]
    if missing:
        raise Refused(Code.INTERNAL, f"{missing[0]} mandatory for driver {driver}")


def _numbered(links: dict[str, str], key: str) -> bool:
    return bool(links[key]) or links[f"{key}_AUTOMATIC"] == "1"


def _automatic_vlan(cloud: Cloud, driver: str, oid: int) -> int:
    """The VLAN id that OpenNebula picks first: the network's own number, counted from the configured start."""
    start = int((cloud.configuration.vector("VLAN_IDS") or {"START": "2"})["START"])
    taken = {one.body["VLAN_ID"] for one in cloud.store.all("vn") if one.body["VN_MAD"] == driver}
    number = start + oid
    while str(number) in taken:
        number += 1
    return number


def allocate(call: Call, text: str, cluster_id: int = -1) -> int:
    """Make a network."""
    template = parse(text)
    cluster = call.get("cluster", DEFAULT if cluster_id == -1 else cluster_id)
    wants: list[Want] = [create("vn", call.caller.gid), admin(cluster)]
    require(call, *wants)
    if not call.caller.is_admin:
        found = restricted(template, call.cloud.configuration.texts("VNET_RESTRICTED_ATTR"))
        if found:
            text = f"VNET Template includes a restricted attribute {found}"
            raise Refused(Code.AUTHORIZATION, f"User [{call.caller.uid}] : {text}.")
    name = take(template, "NAME")
    if not name:
        _links_first(call, template)
        raise Refused(Code.INTERNAL, "No NAME in template for Virtual Network.")
    check_name(call.store, "vn", name, call.caller.uid)
    return new_network(call, template, [cluster.oid], name=name).oid


def _links_first(call: Call, template: Body) -> None:
    """OpenNebula looks at the driver before it misses the name."""
    driver = first(template, "VN_MAD")
    if driver:
        _bridge_type(call.cloud, driver, "")


def delete(call: Call, oid: int) -> int:
    """Delete a network without leases; a reservation gives its addresses back."""
    network = call.get("vn", oid)
    require(call, manage(network))
    if any(map(address_range.used, ranges(network))):
        text = "Cannot delete virtual network. Can not remove a virtual network with leases in use"
        raise Refused(Code.ACTION, text)
    drop(call, network)
    return oid


def reserved_usage(network: Record) -> quota.Usage:
    """What a reservation uses of the network that it came from."""
    count = sum(map(address_range.size, ranges(network)))
    return quota.Usage("NETWORK", str(network.body["PARENT_NETWORK_ID"]), {"LEASES": count})


def _move_quota(call: Call, network: Record, uid: int, gid: int) -> None:
    """Count a reservation to its new owners."""
    if network.body["PARENT_NETWORK_ID"] == "":
        return
    usage = reserved_usage(network)
    new_uid, new_gid = (network.uid if uid < 0 else uid), (network.gid if gid < 0 else gid)
    quota.release(call.store, network.uid if uid >= 0 else -1, network.gid if gid >= 0 else -1, usage)
    quota.charge(call.store, new_uid if uid >= 0 else -1, new_gid if gid >= 0 else -1, usage)


def drop(call: Call, network: Record) -> None:
    """Forget a network."""
    parent = network.body["PARENT_NETWORK_ID"]
    if parent != "":
        quota.release(call.store, network.uid, network.gid, reserved_usage(network))
        give_back(call, network, parent)
    leave_all(call.store, "vn", network.oid)
    forget_everywhere(call.store, "vn", network.oid)
    call.store.remove(network)


def give_back(call: Call, network: Record, parent_id: int) -> None:
    """Return all addresses of a reservation to the network they came from."""
    parent = call.store.get("vn", parent_id)
    if parent is not None:
        call.store.edit(parent)
        for one in ranges(parent):
            address_range.release(one, {"VNET": network.oid})


def _updated(call: Call, network: Record, old: Body) -> None:
    template, body = network.template, network.body
    template.pop("TEMPLATE_ID", None)
    driver = first(template, "VN_MAD")
    if not driver:
        raise Refused(Code.INTERNAL, "No VN_MAD in template for Virtual Network.")
    asked = take(template, "BRIDGE_TYPE")
    if driver != body["VN_MAD"] and asked == first(old, "BRIDGE_TYPE"):
        asked = ""
    body.update({"VN_MAD": driver, "BRIDGE_TYPE": _bridge_type(call.cloud, driver, asked)})
    body.update({"PHYDEV": first(template, "PHYDEV"), "BRIDGE": first(template, "BRIDGE") or body["BRIDGE"]})
    for key in ("VLAN_ID", "OUTER_VLAN_ID"):
        template.pop(f"AUTOMATIC_{key}", None)
        if body[f"{key}_AUTOMATIC"]:
            template.pop(key, None)
        else:
            body[key] = first(template, key)
            template[key] = [body[key]]
    template.update({key: [body[key]] for key in ("BRIDGE", "BRIDGE_TYPE", "PHYDEV")})


def recover(call: Call, oid: int, operation: int) -> int:
    """Recover a network from a failure of its driver; here none ever fails."""
    network = call.get("vn", oid)
    require(call, manage(network))
    words = {0: "failure", 1: "success", 2: "delete", 3: "retry"}.get(operation)
    if words is None:
        raise Refused(Code.ACTION, "Wrong recovery operation code")
    if words == "delete":
        drop(call, network)
        return oid
    raise Refused(Code.INTERNAL, f"Could not perform 'recover {words}' on VN {oid}, wrong state READY.")


TABLE: Table = {
    **common(
        "vn",
        allocate=allocate,
        info=info("vn", view),
        update=update("vn", after=_updated, restrictions="VNET_RESTRICTED_ATTR"),
        delete=delete,
        chown=chown("vn", before=_move_quota),
        recover=recover,
    ),
    "one.vnpool.info": owned_pool("vn", pool_view),
}
EVENTS: dict[str, Event] = {"vn.created": created}
