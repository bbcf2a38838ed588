"""A branch's virtual network: its VLAN, and the addresses that OpenNebula may hand out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING

from provision.declaring.addresses import AddressRange, less, merged, spanning, usable, without
from provision.kind import MERGE, Kind, handing, permitting, renaming
from provision.kinds.reservation import extend, reserve
from provision.planning.marks import object_name
from provision.planning.resource import Existing, Ref, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Branch, Community
    from provision.kind import Act
    from provision.node import Node
    from provision.planning.view import View

#: What a community file calls a network that another is reserved from.
PARENT = "parent-network"

#: Who holds a lease, in the upper bits of ALLOCATED's second number; a held address belongs to VM -1.
HELD = (1 << 32) - 1


@dataclass(frozen=True)
class Network:
    """How a virtual network is."""

    group: Ref | None
    mode: str
    cluster: Ref
    driver: str
    physical_device: str
    vlan: str
    bridge: str
    network_address: str
    network_mask: str
    gateway: str
    dns: str
    security_groups: tuple[Ref, ...]
    addresses: tuple[AddressRange, ...]
    """What OpenNebula may hand out: its address ranges, less what is held."""
    parent: Ref | None = None
    """The network of the cloud's owner that they are reserved from, and that says driver, VLAN and bridge."""
    appliance: IPv4Address | None = field(default=None, compare=False)
    """The appliance's own address: it stands in the last range, which is handed out last."""


def declared(community: Community) -> Iterator[Resource]:
    """A network for each branch."""
    place = community.cloud.network
    for name, branch in community.branches.items():
        own = branch.network
        reserved = own.reserve_from is not None
        spec = Network(
            group=Ref("group", name),
            mode="640",
            cluster=Ref("cluster", community.cloud.cluster),
            driver="" if reserved else place.driver,
            physical_device="" if reserved else place.physical_device or "",
            vlan="" if own.vlan is None or place.driver == "bridge" else str(own.vlan),
            bridge=own.bridge or "",
            network_address=str(own.cidr.network_address),
            network_mask=str(own.cidr.netmask),
            gateway=str(own.gateway or ""),
            dns=" ".join(str(server) for server in own.dns),
            security_groups=(Ref("security-group", name),),
            addresses=addresses_of(branch),
            parent=Ref(PARENT, own.reserve_from) if own.reserve_from else None,
            appliance=own.appliance,
        )
        yield Resource(Ref("network", name), object_name(community.community, name), spec)


def addresses_of(branch: Branch) -> tuple[AddressRange, ...]:
    """What may be handed out: never the gateway nor a scanner's address; always the appliance's own."""
    own = branch.network
    given = own.addresses if own.addresses is not None else (usable(own.cidr),)
    taken = {scanner.host for scanner in branch.modalities} | ({own.gateway} if own.gateway else set())
    return without((*given, AddressRange(own.appliance, own.appliance)), taken)


def found(view: View) -> Iterator[Existing]:
    """The networks that stand."""
    for key, node in view.ours("network"):
        attributes = node.attributes()
        clusters = node.ids("CLUSTERS")
        parent = node.number("PARENT_NETWORK_ID")
        reserved = parent >= 0
        spec = Network(
            group=view.owner(node),
            mode=node.mode,
            cluster=view.ref("cluster", clusters[0] if len(clusters) == 1 else -1),
            driver="" if reserved else node.text("VN_MAD"),
            physical_device="" if reserved else node.text("PHYDEV"),
            vlan="" if reserved else node.text("VLAN_ID"),
            bridge=node.text("BRIDGE") if node.text("VN_MAD") == "bridge" and not reserved else "",
            network_address=str(attributes.get("NETWORK_ADDRESS", "")),
            network_mask=str(attributes.get("NETWORK_MASK", "")),
            gateway=str(attributes.get("GATEWAY", "")),
            dns=str(attributes.get("DNS", "")),
            security_groups=_security_groups(view, str(attributes.get("SECURITY_GROUPS", ""))),
            addresses=without(merged(spanning(*ends) for _, ends in ranges_of(node)), held_in(node)),
            parent=view.ref("vn", parent) if reserved else None,
        )
        yield Existing(Ref("network", key), node.name, spec, node.id, view.marked_key("network", node), node)


def _security_groups(view: View, text: str) -> tuple[Ref, ...]:
    return tuple(view.ref("secgroup", int(number)) for number in text.split(",") if number.strip().isdigit())


def ranges_of(node: Node) -> Iterator[tuple[int, tuple[IPv4Address, int]]]:
    """Each IPv4 address range: its id, its first address and its size."""
    for each, first in _ipv4_ranges(node):
        yield each.number("AR_ID"), (first, each.number("SIZE"))


def _ipv4_ranges(node: Node) -> Iterator[tuple[Node, IPv4Address]]:
    """Each address range that has IPv4 addresses, and the first of them; ETHER, IP6 and IP6_STATIC have none."""
    for each in node.children("AR_POOL/AR"):
        with suppress(AddressValueError):
            yield each, IPv4Address(each.text("IP"))


def leases_in(node: Node) -> Iterator[tuple[IPv4Address, int]]:
    """Each IPv4 address in use and who has it: pairs of an index and a holder stand in ALLOCATED."""
    for each, first in _ipv4_ranges(node):
        numbers = [int(number) for number in each.text("ALLOCATED").split()]
        for index, holder in zip(numbers[::2], numbers[1::2], strict=False):
            yield first + index, holder


def held_in(node: Node) -> list[IPv4Address]:
    """The addresses that are held, for nobody."""
    return [address for address, holder in leases_in(node) if holder & HELD == HELD]


def create(act: Act, resource: Resource) -> int:
    """Make the network, with its mark."""
    spec: Network = resource.spec
    own = [spec.appliance] if spec.appliance else []
    ranges = (*without(spec.addresses, own), *(AddressRange(address, address) for address in own))
    if spec.parent is not None:
        return reserve(act, resource, spec.parent, ranges)
    text = act.text("network", resource, new=True, ranges=ranges)
    return int(act.call("vn.allocate", text, act.id_of(spec.cluster)))


def rewrite(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
    """Write attributes and mark anew; what OpenNebula added stays.

    This also takes the default security group away, which lets everything pass and is added to each new network.
    """
    act.call("vn.update", number, act.text("network", resource, new=False), MERGE)


def set_addresses(act: Act, resource: Resource, number: int, found: Existing | None) -> None:
    """Hold what may no longer be handed out, release what may again, and add ranges for the rest."""
    assert found is not None
    assert found.node is not None
    before, after = found.spec.addresses, resource.spec.addresses
    for address in _each(less(before, after)):
        act.call("vn.hold", number, act.text("lease", resource, address=address))
    missing, held = less(after, before), held_in(found.node)
    for address in sorted(address for address in held if any(address in each for each in missing)):
        act.call("vn.release", number, act.text("lease", resource, address=address))
    more = without(missing, held)
    if resource.spec.parent is not None:
        extend(act, resource, resource.spec.parent, number, more)
        return
    for each in more:
        act.call("vn.add_ar", number, act.text("address_range", resource, range=each))


def _each(ranges: tuple[AddressRange, ...]) -> Iterator[IPv4Address]:
    """Every address of ranges."""
    return (address for each in ranges for address in each.all())


def remove(act: Act, found: Existing) -> None:
    """Release what is held, and delete the network."""
    assert found.node is not None
    resource = Resource(found.ref, found.name, found.spec)
    for address in held_in(found.node):
        act.call("vn.release", found.id, act.text("lease", resource, address=address))
    act.call("vn.delete", found.id)


KIND = Kind(
    name="network",
    declared=declared,
    found=found,
    create=create,
    in_place={
        "key": rewrite,
        "gateway": rewrite,
        "dns": rewrite,
        "security_groups": rewrite,
        "name": renaming("vn"),
        "group": handing("vn"),
        "mode": permitting("vn"),
        "addresses": set_addresses,
    },
    later=("security_groups", "group", "mode"),
    remove=remove,
)
