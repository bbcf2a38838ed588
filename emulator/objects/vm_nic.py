"""Network interfaces of virtual machines, and the addresses that they lease.

References: OpenNebula src/vm/VirtualMachineNic.cc, src/vnm/VirtualNetwork.cc `nic_attribute`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import quota
from emulator.access import use
from emulator.document import ids
from emulator.errors import Code, Refused
from emulator.objects import address_range
from emulator.objects.network import ranges
from emulator.template import is_yes, vectors, whole

if TYPE_CHECKING:
    from emulator.access import Want
    from emulator.call import Call
    from emulator.objects.address_range import Range
    from emulator.record import Body, Record
    from emulator.store import Store

Nic = dict[str, str]
OWN = ("VN_MAD", "BRIDGE", "BRIDGE_TYPE", "PHYDEV", "VLAN_ID", "OUTER_VLAN_ID")


def has_network(nic: Nic) -> bool:
    """Whether an interface names its network, and does not leave the choice to the scheduler."""
    return not is_automatic(nic) and ("NETWORK_ID" in nic or "NETWORK" in nic)


def is_automatic(nic: Nic) -> bool:
    """Whether the scheduler chooses the network of an interface."""
    return nic.get("NETWORK_MODE", "").upper() == "AUTO"


def has_no_lease(nic: Nic) -> bool:
    """Whether an interface of a virtual router has floating addresses alone."""
    return is_yes(nic.get("FLOATING_IP")) and is_yes(nic.get("FLOATING_ONLY"))


def network_of(call: Call, nic: Nic, uid: int) -> Record:
    """The network that an interface asks for, by id or by name and owner.

    Raises
    ------
    Refused
        INTERNAL, when there is none.
    """
    if "NETWORK_ID" in nic:
        number = whole(nic["NETWORK_ID"])
        network = call.store.get("vn", number)
        if network is None:
            raise Refused(Code.INTERNAL, f"Virtual network with ID: {number} does not exist")
        return network
    if "NETWORK" not in nic:
        raise Refused(Code.INTERNAL, "Neither NETWORK_ID nor NETWORK is given in NIC.")
    owner, name = _owner(call, nic, uid), nic["NETWORK"]
    found = next((one for one in call.store.all("vn") if one.name == name and one.uid == owner), None)
    if found is None:
        text = (
            f"User {owner} does not own a network with name: {name} . Set NETWORK_UNAME or NETWORK_UID of owner in NIC."
        )
        raise Refused(Code.INTERNAL, text)
    return found


def _owner(call: Call, nic: Nic, uid: int) -> int:
    if "NETWORK_UID" in nic:
        return whole(nic["NETWORK_UID"])
    name = nic.get("NETWORK_UNAME")
    user = next((one for one in call.store.all("user") if one.name == name), None) if name else None
    return user.oid if user else uid


def all_nics(template: Body) -> list[Nic]:
    """Interfaces and aliases."""
    return vectors(template, "NIC") + vectors(template, "NIC_ALIAS")


def wants(call: Call, template: Body, uid: int) -> list[Want]:
    """The rights that the interfaces of a template need, on networks and security groups."""
    found: list[Want] = []
    for nic in all_nics(template):
        try:
            network = network_of(call, nic, uid) if has_network(nic) else None
        except Refused:
            continue  # said later
        if network is not None:
            found.append(use(network))
            groups = (call.store.get("secgroup", number) for number in group_ids(nic.get("SECURITY_GROUPS", "")))
            found += [use(group) for group in groups if group is not None]
    return found


def group_ids(text: str) -> list[int]:
    """Ids in a SECURITY_GROUPS attribute."""
    return sorted({int(one) for one in text.split(",") if one.strip().isdigit()})


def build(call: Call, template: Body, vm_id: int, uid: int) -> list[Record]:
    """Complete the interfaces of a template, and lease their addresses; the networks."""
    defaults = next(iter(vectors(template, "NIC_DEFAULT")), {})
    for number, nic in enumerate(vectors(template, "NIC")):
        if is_automatic(nic):
            nic.update({"NIC_ID": str(number), "NAME": nic.get("NAME") or f"NIC{number}"})
    for nic in vectors(template, "NIC_ALIAS"):
        if is_automatic(nic):
            raise Refused(Code.INTERNAL, "Alias is incompatible with mode AUTO")
    return [
        complete(call, nic, number, vm_id, uid, defaults)
        for number, nic in enumerate(all_nics(template))
        if has_network(nic)
    ]


def leave_to_scheduler(template: Body) -> None:
    """Forget the networks that a template names where the scheduler chooses."""
    for nic in filter(is_automatic, vectors(template, "NIC")):
        for key in ("NETWORK", "NETWORK_ID"):
            nic.pop(key, None)


def complete(call: Call, nic: Nic, number: int, vm_id: int, uid: int, defaults: Nic) -> Record:
    """Complete one interface, and lease its address; its network."""
    network = network_of(call, nic, uid)
    for key, value in defaults.items():
        nic.setdefault(key, value)
    if has_no_lease(nic):
        nic.update({**_from_network(call, network, None, nic), "MAC": address_range.random_mac()})
    else:
        one, index = leased(call, network, nic, {"VM": vm_id})
        nic.update(_from_network(call, network, one, nic))
        nic.update(address_range.address(one, index))
    nic["NIC_ID"] = str(number)
    nic["NAME"] = nic.get("NAME") or f"NIC{number}"
    nic["TARGET"] = nic.get("TARGET") or f"one-{vm_id}-{number}"
    return network


def make_alias(nic: Nic, parent: Nic) -> None:
    """Make an interface one more address of another."""
    number = nic["NIC_ID"]
    listed = [*filter(None, parent.get("ALIAS_IDS", "").split(",")), number]
    parent["ALIAS_IDS"] = ",".join(listed)
    nic.update({"PARENT_ID": parent["NIC_ID"], "ALIAS_ID": str(len(listed) - 1)})
    nic["NAME"] = f"{parent['NAME']}_ALIAS{number}"


def leased(call: Call, network: Record, nic: Nic, holder: dict[str, int]) -> tuple[Range, int]:
    """Lease the address that an interface asks for, or the next free one: its range and place there."""
    asked = {key: nic[key] for key in ("IP", "IP6", "MAC") if nic.get(key)}
    call.store.edit(network)
    for one in ranges(network):
        if asked:
            index = address_range.index_of(one, asked)
            if index >= 0 and str(index) not in one["leases"]:
                address_range.lease(one, index, holder)
                return one, index
        elif (index := address_range.lease_next(one, holder)) >= 0:
            return one, index
    raise Refused(Code.INTERNAL, f"Cannot get IP/MAC lease from virtual network {network.oid}.")


def _from_network(call: Call, network: Record, one: Range | None, nic: Nic) -> Nic:
    body, own = network.body, one["attributes"] if one else {}
    made = {key: body[key] for key in OWN if body[key] != ""}
    made.update({"NETWORK": network.name, "NETWORK_ID": str(network.oid)})
    made["CLUSTER_ID"] = ",".join(map(str, body["CLUSTERS"].get("ID", [])))
    if "AR_ID" in own:
        made["AR_ID"] = own["AR_ID"]
    for key in call.cloud.configuration.texts("INHERIT_VNET_ATTR"):
        value = own.get(key) or network.attribute(key)
        if value and key not in nic:
            made[key] = value
    groups = group_ids(nic.get("SECURITY_GROUPS", "")) + group_ids(network.attribute("SECURITY_GROUPS"))
    groups += group_ids(own.get("SECURITY_GROUPS", ""))
    made["SECURITY_GROUPS"] = ",".join(map(str, sorted(set(groups))))
    return made


def release(store: Store, nic: Nic, vm_id: int) -> None:
    """Give an interface's address back."""
    network = store.get("vn", whole(nic.get("NETWORK_ID")))
    if network is None:
        return
    for one in ranges(network):
        index = str(address_range.index_of(one, {"MAC": nic["MAC"]}))
        if one["leases"].get(index) == {"VM": vm_id}:
            store.edit(network)
            del one["leases"][index]


def security_rules(call: Call, nics: list[Nic]) -> list[dict[str, str]]:
    """The rules that the interfaces' security groups ask for, each said once."""
    made = []
    for number in sorted({number for nic in nics for number in group_ids(nic.get("SECURITY_GROUPS", ""))}):
        group = call.store.get("secgroup", number)
        if group is not None:
            named = {"SECURITY_GROUP_ID": str(number), "SECURITY_GROUP_NAME": group.name}
            made += [{**one, **named} for rule in vectors(group.template, "RULE") for one in _spread(call, rule)]
    return made


def _spread(call: Call, rule: dict[str, str]) -> list[dict[str, str]]:
    """A rule about a network is one about each of its address ranges."""
    network = call.store.get("vn", whole(rule["NETWORK_ID"])) if "NETWORK_ID" in rule else None
    if network is None:
        return [rule]
    told = ("AR_ID", "IP", "IP6", "MAC", "SIZE", "TYPE")
    return [
        {**rule, **{key: one["attributes"][key] for key in told if key in one["attributes"]}} for one in ranges(network)
    ]


def count_in_groups(store: Store, nics: list[Nic], vm_id: int, *, present: bool) -> None:
    """Write into the security groups and networks which virtual machines follow them."""
    places = [("secgroup", number) for nic in nics for number in group_ids(nic.get("SECURITY_GROUPS", ""))]
    places += [("vn", whole(nic.get("NETWORK_ID"))) for nic in nics]
    for kind, number in places:
        record = store.get(kind, number)
        if record is not None:
            listed = {*record.body["UPDATED_VMS"].get("ID", [])} - {vm_id} | ({vm_id} if present else set())
            store.edit(record).body["UPDATED_VMS"] = ids([*listed])


def usages(template: Body) -> list[quota.Usage]:
    """What the interfaces use of networks' quotas."""
    numbers = [nic["NETWORK_ID"] for nic in all_nics(template) if "NETWORK_ID" in nic]
    return [quota.Usage("NETWORK", number, {"LEASES": 1}) for number in numbers]
