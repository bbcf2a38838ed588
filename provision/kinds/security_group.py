"""A branch's security group: what may reach its appliance."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, summarize_address_range
from typing import TYPE_CHECKING

from provision.declaring.addresses import spanning
from provision.kind import REPLACE, Kind, handing, permitting, renaming
from provision.node import vectors
from provision.planning.marks import object_name
from provision.planning.resource import Existing, Ref, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address

    from provision.declaring.community import Community
    from provision.kind import Act
    from provision.node import Node
    from provision.planning.view import View

#: What the appliance offers, and the TCP ports: DICOM (IANA 11112 and 104; over TLS 2762), HTTP(S), SMB, SSH.
SERVICES = {"DICOM": "104,2762,11112", "HTTP": "80,443,8080,8443", "SMB": "445", "SSH": "22"}
#: What is open to the networks from which admins work.
FOR_ADMINS = ("HTTP", "SSH")


@dataclass(frozen=True, order=True)
class Rule:
    """One rule: what may pass, and from where (everywhere where no network is given)."""

    direction: str
    protocol: str
    ports: str = ""
    network: str = ""

    @property
    def first(self) -> IPv4Address | None:
        """The first address that the rule is for."""
        return IPv4Network(self.network).network_address if self.network else None

    @property
    def size(self) -> int:
        """How many addresses the rule is for."""
        return IPv4Network(self.network).num_addresses if self.network else 0

    def __str__(self) -> str:
        return " ".join(part for part in (self.direction, self.protocol, self.ports, self.network) if part)


@dataclass(frozen=True)
class SecurityGroup:
    """How a security group is."""

    group: Ref | None
    mode: str
    rules: frozenset[Rule]


def declared(community: Community) -> Iterator[Resource]:
    """A security group for each branch."""
    for name, branch in community.branches.items():
        admins = [str(network) for network in community.cloud.management]
        rules = frozenset(_rules(str(branch.network.cidr), admins))
        spec = SecurityGroup(group=Ref("group", name), mode="640", rules=rules)
        yield Resource(Ref("security-group", name), object_name(community.community, name), spec)


def _rules(own: str, admins: list[str]) -> Iterator[Rule]:
    yield Rule("OUTBOUND", "ALL")
    for network in (own, *admins):
        yield Rule("INBOUND", "ICMP", network=network)
        for service, ports in SERVICES.items():
            if network == own or service in FOR_ADMINS:
                yield Rule("INBOUND", "TCP", ports, network)


def found(view: View) -> Iterator[Existing]:
    """The security groups that stand."""
    for key, node in view.ours("security-group"):
        spec = SecurityGroup(group=view.owner(node), mode=node.mode, rules=frozenset(_found_rules(node)))
        marked = view.marked_key("security-group", node)
        yield Existing(Ref("security-group", key), node.name, spec, node.id, marked, node)


def _found_rules(node: Node) -> Iterator[Rule]:
    for rule in vectors(node.attributes(), "RULE"):
        yield Rule(
            rule.get("RULE_TYPE", "").upper(), rule.get("PROTOCOL", "").upper(), rule.get("RANGE", ""), _network(rule)
        )


def _network(rule: dict[str, str]) -> str:
    """The network of a rule as CIDR; anything else as it stands, so that it shows as a difference."""
    if "IP" not in rule:
        return f"network #{rule['NETWORK_ID']}" if "NETWORK_ID" in rule else ""
    try:
        ends = spanning(IPv4Network(rule["IP"]).network_address, int(rule.get("SIZE") or 1))
        return ",".join(str(each) for each in summarize_address_range(ends.first, ends.last))
    except ValueError:
        return f"{rule['IP']}+{rule.get('SIZE', '')}"


def create(act: Act, resource: Resource) -> int:
    """Make the security group, with its rules and its mark."""
    return int(act.call("secgroup.allocate", act.text("security_group", resource, new=True)))


def rewrite(act: Act, resource: Resource, number: int, found: Existing | None) -> None:
    """Write rules and mark anew, and carry new rules to running VMs."""
    act.call("secgroup.update", number, act.text("security_group", resource, new=False), REPLACE)
    if found is not None and found.spec.rules != resource.spec.rules:
        act.call("secgroup.commit", number, False)


def remove(act: Act, found: Existing) -> None:
    """Delete the security group."""
    act.call("secgroup.delete", found.id)


KIND = Kind(
    name="security-group",
    declared=declared,
    found=found,
    create=create,
    in_place={
        "key": rewrite,
        "rules": rewrite,
        "name": renaming("secgroup"),
        "group": handing("secgroup"),
        "mode": permitting("secgroup"),
    },
    later=("group", "mode"),
    remove=remove,
)
