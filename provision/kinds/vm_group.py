"""The VM group that keeps appliances of declared branches on different hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.kind import REPLACE, Kind, permitting, renaming
from provision.planning.marks import object_name
from provision.planning.resource import Existing, Ref, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.kind import Act
    from provision.node import Node
    from provision.planning.view import View

#: The community's one VM group: a VM can be in one only.
THE_GROUP = Ref("vm-group")

#: `one.vm.vmgroupadd` came with 7.4 (src/rm/xml-rpc/VirtualMachineXRPC.h); before, a VM joins when it is made.
JOINS_LATER_SINCE = (7, 4)


@dataclass(frozen=True, order=True)
class Apart:
    """Roles whose VMs never share a host, in order."""

    roles: tuple[str, ...]

    def __str__(self) -> str:
        return ",".join(self.roles)


@dataclass(frozen=True)
class VmGroup:
    """How a VM group is: a role for each branch that is kept apart from another, and who is apart from whom."""

    mode: str
    roles: frozenset[str]
    apart: frozenset[Apart]


@dataclass(frozen=True)
class Membership:
    """A VM's place in a VM group."""

    group: Ref
    role: str

    def __str__(self) -> str:
        return f"{self.role} in {self.group}"


def declared(community: Community) -> Iterator[Resource]:
    """One VM group, where branches are kept apart."""
    if community.apart:
        apart = frozenset(Apart(tuple(sorted(names))) for names in community.apart)
        roles = frozenset(role for each in apart for role in each.roles)
        yield Resource(THE_GROUP, object_name(community.community, "apart"), VmGroup("600", roles, apart))


def membership(community: Community, name: str) -> Membership | None:
    """The place of a branch's appliance; None where it may share a host with any other."""
    kept_apart = any(name in names for names in community.apart)
    return Membership(THE_GROUP, name) if kept_apart else None


def found(view: View) -> Iterator[Existing]:
    """The VM group, if it stands."""
    for key, node in view.ours("vm-group"):
        roles = frozenset(role.name for role in node.children("ROLES/ROLE"))
        spec = VmGroup(node.mode, roles, frozenset(_apart(node)))
        yield Existing(Ref("vm-group", key), node.name, spec, node.id, key, node)


def _apart(node: Node) -> Iterator[Apart]:
    for each in node.children("TEMPLATE/ANTI_AFFINED"):
        yield Apart(tuple(sorted(name.strip() for name in str(each.element.text or "").split(","))))


def create(act: Act, resource: Resource) -> int:
    """Make the VM group, with its roles and its mark."""
    return int(act.call("vmgroup.allocate", act.text("vm_group", resource, new=True, roles=resource.spec.roles)))


def rewrite(act: Act, resource: Resource, number: int, found: Existing | None) -> None:
    """Add roles, say anew who is apart, and take roles away, in this order: OpenNebula refuses unknown roles."""
    assert found is not None
    assert found.node is not None
    for role in sorted(resource.spec.roles - found.spec.roles):
        act.call("vmgroup.roleadd", number, act.text("role", resource, role=role))
    act.call("vmgroup.update", number, act.text("vm_group", resource, new=False), REPLACE)
    for node in found.node.children("ROLES/ROLE"):
        if node.name not in resource.spec.roles:
            _take_role(act, number, node)


def _take_role(act: Act, number: int, role: Node) -> None:
    """Take a role away; the VMs in it leave the group first."""
    for vm in filter(None, role.text("VMS").split(",")):
        act.call("vm.vmgroupdel", int(vm))
    act.call("vmgroup.roledelete", number, role.id)


def join(act: Act, resource: Resource, number: int, found: Existing | None) -> None:
    """Put a VM into its role, or out of the group; a running one is not moved by that."""
    wanted: Membership | None = resource.spec.apart
    if wanted is not None:
        act.call("vm.vmgroupadd", number, act.id_of(wanted.group), wanted.role)
    elif found is not None:
        act.call("vm.vmgroupdel", number)


def remove(act: Act, found: Existing) -> None:
    """Delete the VM group; its VMs have left it, or have gone."""
    act.call("vmgroup.delete", found.id)


KIND = Kind(
    name="vm-group",
    declared=declared,
    found=found,
    create=create,
    in_place={
        **dict.fromkeys(("key", "roles", "apart"), rewrite),
        "name": renaming("vmgroup"),
        "mode": permitting("vmgroup"),
    },
    later=("mode",),
    remove=remove,
)
