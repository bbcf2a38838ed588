"""A branch's group, with its quota."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provision.declaring.sizes import Size
from provision.errors import CloudError, CloudUnreachable
from provision.kind import Kind, marking
from provision.kinds.datastore import images_of
from provision.planning.marks import Mark, mark_in, object_name
from provision.planning.resource import Existing, Ref, Resource
from provision.planning.versions import PCI_QUOTAS_SINCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.kind import Act
    from provision.node import Node
    from provision.planning.view import View

#: No limit; and a number that is only counted, as the default quota has it.
NO_LIMIT, COUNTED = -2.0, -1.0

#: Every limit that OpenNebula 7.4 knows on VMs. One that is left out of an update becomes unlimited.
VM_LIMITS = (
    "VMS",
    "CPU",
    "MEMORY",
    "SYSTEM_DISK_SIZE",
    "RUNNING_VMS",
    "RUNNING_CPU",
    "RUNNING_MEMORY",
    "PCI_DEV",
    "PCI_NIC",
    "RUNNING_PCI_DEV",
    "RUNNING_PCI_NIC",
)

#: What limits are on, in words; and the last word of those that are counted in MiB.
WORDS = {
    "VMS": "VMs",
    "MEMORY": "memory",
    "SYSTEM_DISK_SIZE": "disks of VMs",
    "PCI_DEV": "PCI devices",
    "PCI_NIC": "PCI network cards",
    "SIZE": "size of images",
    "IMAGES": "images",
}
IN_MIB = frozenset({"MEMORY", "SIZE"})

#: Those of them that an older release does not know, and would drop without a word.
PCI_LIMITS = frozenset({"PCI_DEV", "PCI_NIC", "RUNNING_PCI_DEV", "RUNNING_PCI_NIC"})


@dataclass(frozen=True)
class Limit:
    """One limit of a quota; `of` is the datastore that it counts in, None where it counts VMs."""

    name: str
    value: float
    of: Ref | None = None

    @property
    def label(self) -> str:
        """What it limits, in words."""
        running, _, what = self.name.rpartition("RUNNING_")
        words = f"{'running ' if running or self.name != what else ''}{WORDS.get(what, what)}"
        return f"{words} in {self.of.key or 'its own datastore'}" if self.of else words

    @property
    def amount(self) -> str:
        """How much of it, in words."""
        if self.value < 0:
            return "unlimited" if self.value == NO_LIMIT else "as by default"
        in_mib = self.name.rpartition("_")[2] in IN_MIB
        return str(Size(int(self.value))) if in_mib and self.value else format(self.value, "g")

    def __str__(self) -> str:
        return f"{self.label}: {self.amount}"


@dataclass(frozen=True)
class Group:
    """How a branch's group is, beside its name, which OpenNebula never changes, and which its mark repeats."""

    marked: bool
    quota: tuple[Limit, ...]


def declared(community: Community) -> Iterator[Resource]:
    """A group for each branch."""
    images = images_of(community)
    for name, branch in community.branches.items():
        quota = branch.quota
        beside = quota.vm_disk or quota.disk
        vms = {"VMS": quota.vms, "CPU": quota.cpu, "MEMORY": quota.memory.mib, "SYSTEM_DISK_SIZE": beside.mib}
        running = {f"RUNNING_{limit}": value for limit, value in vms.items()}
        limits = (Limit(limit, float((vms | running).get(limit, 0))) for limit in VM_LIMITS)
        disks = (Limit("IMAGES", NO_LIMIT, images), Limit("SIZE", float(quota.disk.mib), images))
        spec = Group(marked=True, quota=(*limits, *disks))
        yield Resource(Ref("group", name), object_name(community.community, community.first_name(name)), spec)


def limits_known(view: View) -> tuple[str, ...]:
    """The limits on VMs that the cloud's release knows."""
    counts_pci = view.pools.release >= PCI_QUOTAS_SINCE
    return tuple(name for name in VM_LIMITS if counts_pci or name not in PCI_LIMITS)


def narrowed(resource: Resource, view: View) -> Resource:
    """The same with the limits that the cloud knows."""
    known = limits_known(view)
    quota = tuple(limit for limit in resource.spec.quota if limit.of is not None or limit.name in known)
    return replace(resource, spec=replace(resource.spec, quota=quota))


def found(view: View) -> Iterator[Existing]:
    """The groups that stand."""
    for key, node in view.groups.items():
        right = Mark(view.community, "group", view.first_name(key))
        spec = Group(marked=mark_in(node.attributes()) == right, quota=tuple(_limits(view, node)))
        yield Existing(Ref("group", key), node.name, spec, node.id, None, node)


def _limits(view: View, node: Node) -> Iterator[Limit]:
    quotas = view.pools.quotas.get(node.id, node)
    whole = next((vm for vm in quotas.children("VM_QUOTA/VM") if not vm.text("CLUSTER_IDS")), None)
    if whole is not None:
        yield from (Limit(name, float(whole.text(name, "-1"))) for name in limits_known(view))
    for datastore in quotas.children("DATASTORE_QUOTA/DATASTORE"):
        of = view.ref("datastore", datastore.number("ID"))
        limits = [Limit(name, float(datastore.text(name, "-1")), of) for name in ("IMAGES", "SIZE")]
        if any(limit.value != COUNTED for limit in limits):
            yield from limits


def create(act: Act, resource: Resource) -> int:
    """Make the group and mark it; one that cannot be marked is taken away again, since nobody would know it."""
    number = _allocated(act, resource.name)
    try:
        mark(act, resource, number, None)
    except CloudError:
        act.finish("group.delete", number)
        raise
    return number


def _allocated(act: Act, name: str) -> int:
    """A new group; when the answer is lost it is looked up by its name, which nobody had when this apply began."""
    try:
        return int(act.call("group.allocate", name))
    except CloudUnreachable:
        groups = act.desk.cloud.read("grouppool.info").children("GROUP")
        made = next((node.id for node in groups if node.name == name), None)
        if made is None:
            raise
        return made


def mark(act: Act, resource: Resource, number: int, found: Existing | None) -> None:
    """Write the mark, which tells the name with which the branch was made, as the group's own name does."""
    first = resource.name.removeprefix(f"{act.community}.")
    marking("group")(act, replace(resource, ref=Ref("group", first)), number, found)


def set_quota(act: Act, resource: Resource, number: int, found: Existing | None) -> None:
    """Set every limit; datastores that are limited and not declared are freed, also those made anew meanwhile."""
    limits: tuple[Limit, ...] = resource.spec.quota
    kept = {act.id_of(limit.of) for limit in limits if limit.of is not None}
    others = sorted(_limited(act, number) - kept) if found else ()
    freed = [Limit(name, -1, Ref("#datastore", str(other))) for other in others for name in ("IMAGES", "SIZE")]
    datastores = {limit.of: [each for each in (*limits, *freed) if each.of == limit.of] for limit in (*limits, *freed)}
    vms = datastores.pop(None, [])
    act.call("group.quota", number, act.text("quota", resource, vms=vms, datastores=datastores))


def _limited(act: Act, number: int) -> set[int]:
    """The datastores that a group's quota limits, whether they still exist or not."""
    quotas = act.desk.cloud.read("group.info", number, False).children("DATASTORE_QUOTA/DATASTORE")
    return {each.number("ID") for each in quotas}


def remove(act: Act, found: Existing) -> None:
    """Delete the group; its ACL rules go with it."""
    act.call("group.delete", found.id)


KIND = Kind(
    name="group",
    declared=declared,
    found=found,
    narrowed=narrowed,
    create=create,
    in_place={"marked": mark, "quota": set_quota},
    later=("quota",),
    remove=remove,
)
