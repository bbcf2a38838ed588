"""A branch group's rights: the ACL rules that name it, beside those that its VDC makes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.kind import Kind
from provision.node import first
from provision.planning.marks import object_name
from provision.planning.resource import Existing, Ref, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.kind import Act
    from provision.node import Node
    from provision.planning.view import View

#: What a branch's own people may make in the cloud, within the branch's quota. A new group may make nothing.
RULES = frozenset({"VM+IMAGE+TEMPLATE/* CREATE"})

#: Numbers of OpenNebula's rule language (include/AclRule.h): who or what a rule names, and what it allows.
INDIVIDUAL, GROUP, ALL = 0x100000000, 0x200000000, 0x400000000
RESOURCES = {"VM": 0x1000000000, "IMAGE": 0x8000000000, "TEMPLATE": 0x20000000000}
RIGHTS = {"USE": 1, "MANAGE": 2, "ADMIN": 4, "CREATE": 8}

#: A VDC's way to say: all there are.
EVERY = "-10"

#: What a VDC gives its groups of what it holds: where that stands, the setting in `oned.conf` that says how, and its
#: value where it does not.
BY_VDC = (
    ("CLUSTERS/CLUSTER", "HOST", "CLUSTER_HOST", "MANAGE"),
    ("CLUSTERS/CLUSTER", "NET", "CLUSTER_NET", "USE"),
    ("CLUSTERS/CLUSTER", "DATASTORE", "CLUSTER_DATASTORE", "USE"),
    ("HOSTS/HOST", "HOST", "HOST", "MANAGE"),
    ("VNETS/VNET", "NET", "VNET", "USE"),
    ("DATASTORES/DATASTORE", "DATASTORE", "DATASTORE", "USE"),
)


@dataclass(frozen=True)
class Rights:
    """The rules of a group, as `what/which rights`."""

    group: Ref
    rules: frozenset[str]


def declared(community: Community) -> Iterator[Resource]:
    """The rights of each branch's group."""
    for name in community.branches:
        spec = Rights(group=Ref("group", name), rules=RULES)
        yield Resource(Ref("rights", name), object_name(community.community, name), spec)


def found(view: View) -> Iterator[Existing]:
    """The rights of each group that has any."""
    rules_of, by_vdc = rules_by_group(view), rules_by_vdc(view)
    for key, group in view.groups.items():
        rules = frozenset(rules_of[group.id]) - frozenset(by_vdc[group.id])
        if rules:
            yield Existing(Ref("rights", key), group.name, Rights(Ref("group", key), rules), group.id, key, group)


def rules_by_group(view: View) -> dict[int, list[str]]:
    """Each rule that names a group, as what and which rights, by the group's id."""
    found: dict[int, list[str]] = defaultdict(list)
    for node in view.pools.nodes["acl"]:
        who, _, rest = node.text("STRING").partition(" ")
        if who.startswith("@"):
            found[int(who[1:])].append(rest.rpartition(" ")[0])
    return found


def rules_by_vdc(view: View) -> dict[int, list[str]]:
    """The rules that each group has by being in VDCs: they come and go with that."""
    found: dict[int, list[str]] = defaultdict(list)
    for vdc in view.pools.nodes["vdc"]:
        rules = list(_rules_given_by(view, vdc))
        for gid in vdc.ids("GROUPS"):
            found[gid] += rules
    return found


def _rules_given_by(view: View, vdc: Node) -> Iterator[str]:
    for path, kind, setting, default in BY_VDC:
        rights = first(view.pools.config, f"DEFAULT_VDC_{setting}_ACL") or default
        yield from (f"{kind}/{which} {rights}" for which in _held(vdc, path))


def _held(vdc: Node, path: str) -> Iterator[str]:
    """How rules name what a VDC holds: clusters, and single hosts, networks and datastores."""
    tag = path.rpartition("/")[2]
    sign = "%" if tag == "CLUSTER" else "#"
    numbers = (each.text(f"{tag}_ID") for each in vdc.children(path))
    yield from ("*" if number == EVERY else f"{sign}{number}" for number in numbers)


def create(act: Act, resource: Resource) -> int:
    """Give the group its first rights."""
    set_rules(act, resource, -1, None)
    return act.id_of(resource.spec.group)


def set_rules(act: Act, resource: Resource, _number: int, found: Existing | None) -> None:
    """Add the rules that are missing, and take away those that nobody declared."""
    before: frozenset[str] = found.spec.rules if found else frozenset()
    gid = act.id_of(resource.spec.group)
    for rule in sorted(resource.spec.rules - before):
        act.call("acl.addrule", *numbers(gid, rule, act.zone))
    extra = before - resource.spec.rules
    for node in acl_nodes(act) if extra else ():
        who, _, rest = node.text("STRING").partition(" ")
        if who == f"@{gid}" and rest.rpartition(" ")[0] in extra:
            act.call("acl.delrule", node.id)


def acl_nodes(act: Act) -> Iterator[Node]:
    """Every rule of the cloud, as it is now."""
    return act.desk.cloud.read("acl.info").children("ACL")


def numbers(gid: int, rule: str, zone: int) -> tuple[str, str, str, str]:
    """A rule of a group in the numbers that OpenNebula takes, for one zone."""
    things, _, rights = rule.partition("/* ")
    resources = sum(RESOURCES[each] for each in things.split("+")) + ALL
    allowed = sum(RIGHTS[each] for each in rights.split("+"))
    return f"{GROUP + gid:x}", f"{resources:x}", f"{allowed:x}", f"{INDIVIDUAL + zone:x}"


KIND = Kind(name="rights", declared=declared, found=found, create=create, in_place={"rules": set_rules})
