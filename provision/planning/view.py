"""Which of the found things are this community's own, and what each is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

from provision.enrolling.published import Published
from provision.node import vectors
from provision.planning.belonging import folder_of, handed_to, named_by, under_present_names
from provision.planning.marks import Mark, mark_in, object_name
from provision.planning.resource import Ref

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.node import Node
    from provision.pools import Pools

#: Kinds that carry their mark in their own template, and the pool they stand in.
MARKED = {
    "exchange": "datastore",
    "image-datastore": "datastore",
    "system-datastore": "datastore",
    "keys": "document",
    "security-group": "secgroup",
    "network": "vn",
    "appliance-image": "image",
    "exchange-image": "image",
    "archive": "image",
    "outbox": "image",
    "template": "template",
    "vm-group": "vmgroup",
    "backup-job": "backupjob",
}

#: Kinds that are handed to a branch's group, and what their names end in.
HANDED = {"security-group": (), "network": (), "archive": ("archive",), "outbox": ("outbox",)}

#: TYPE of an image that is a folder, which is what an outbox is and an archive is not.
FILESYSTEM = 7

#: What the owner of the cloud made, which community files name.
NAMED = {"cluster": "cluster", "datastore": "datastore", "host": "host", "parent-network": "vn"}


@dataclass(frozen=True)
class View:
    """The found cloud as one community's admin sees it.

    Attributes
    ----------
    pools
        What was read.
    community
        Whose things are looked for.
    making
        Names of groups, accounts and reservations that an interrupted apply was making, and may not have marked yet.
    outboxes
        Branches whose outbox stands in the exchange, by their first names.
    published
        The directory and the settings that stand in the exchange, by the first names of branches.
    """

    pools: Pools
    community: str
    making: frozenset[str] = frozenset()
    outboxes: frozenset[str] = frozenset()
    published: Published = field(default_factory=Published)

    @property
    def uid(self) -> int:
        """The service user, whose objects' marks are believed."""
        return self.pools.user.id

    @property
    def gid(self) -> int:
        """The service user's own group, in which objects are until they are handed to a branch's group."""
        return self.pools.user.number("GID")

    @cached_property
    def vdcs(self) -> dict[str, Node]:
        """Branch to VDC. Only the cloud's owner can make or mark a VDC, so its mark is believed."""
        found: dict[str, Node] = {}
        for node in self.pools.nodes["vdc"]:
            mark = mark_in(node.attributes())
            if mark and (mark.community, mark.kind) == (self.community, "vdc"):
                found.setdefault(mark.key, node)
        return found

    @cached_property
    def groups(self) -> dict[str, Node]:
        """Branch to group.

        A group's admin can rewrite its mark, but nobody can rename a group or put it into another VDC: so a group
        is what our VDC holds, or what bears the very name that its mark gives it. Where both VDC and mark are lost,
        it is known by what it holds: nobody but the service user hands over what is the service user's.
        """
        found = {key: node for key, vdc in self.vdcs.items() if (node := self._group_in(key, vdc)) is not None}
        taken = {node.id for node in found.values()}
        for node in self.pools.nodes["group"]:
            key = self._key_by_name(node)
            if key is not None and node.id not in taken:
                found.setdefault(key, node)
        return found

    def first_name(self, key: str) -> str:
        """The name with which a branch was made, which its group keeps: nobody can rename a group."""
        group, prefix = self.groups.get(key), f"{self.community}."
        return group.name.removeprefix(prefix) if group is not None and group.name.startswith(prefix) else key

    def present_name(self, first: str) -> str:
        """The branch that was made with a name, as it is called now."""
        return self._present_names.get(first, first)

    def is_anothers(self, first: str) -> bool:
        """Whether what bears a first name is of a branch that is gone, and one that was made otherwise is called so."""
        return self.first_name(self.present_name(first)) != first

    @cached_property
    def _present_names(self) -> dict[str, str]:
        return {self.first_name(key): key for key in self.groups}

    def _group_in(self, key: str, vdc: Node) -> Node | None:
        """The group that a branch's VDC holds; another branch's, or a stranger's, got there by mistake."""
        groups = (self.pools.by_id["group"].get(number) for number in vdc.ids("GROUPS"))
        return next((node for node in groups if node is not None and self._may_be(node.name, key)), None)

    def _may_be(self, name: str, key: str) -> bool:
        """Whether a group of that name can be a branch's: it may have been made for the branch's former name."""
        return name.startswith(f"{self.community}.") and self._names.get(name, key) == key

    @cached_property
    def _names(self) -> dict[str, str]:
        """What the group of each branch that has a VDC is called, to the branch."""
        return {object_name(self.community, key): key for key in self.vdcs}

    def _key_by_name(self, node: Node) -> str | None:
        key = node.name.removeprefix(f"{self.community}.")
        if key != node.name and (key, node.id) in self._handed:
            return key
        mark = mark_in(node.attributes())
        if mark is None:
            return key if node.name in self.making else None
        ours = mark.community == self.community and mark.kind == "group" and key != node.name
        return key if ours and (mark.key == key or node.name in self.making) else None

    @cached_property
    def _handed(self) -> frozenset[tuple[str, int]]:
        """Branch and group of what is the service user's, but not in the service user's own group."""
        nodes = (node for pool in set(MARKED.values()) for node in self.pools.nodes[pool])
        owned = [(mark_in(node.attributes()), node) for node in nodes if node.number("UID") == self.uid]
        marked = [(mark.key, node.number("GID")) for mark, node in owned if mark and mark.community == self.community]
        return frozenset((key, group) for key, group in marked if group != self.gid)

    def believed(self, node: Node) -> Mark | None:
        """The mark of an object, where nobody but the service user can have put it there.

        An object in a branch's group can be marked by that group's admin, so it is believed only as that branch's, and
        as what a branch has: never as the community's own, which would be deleted where none of that key is declared.
        A group that somebody deleted has no admin.
        """
        mark = mark_in(node.attributes())
        if mark is None or mark.community != self.community or node.number("UID") != self.uid:
            return None
        own, gid = self.groups.get(mark.key), node.number("GID")
        out_of_reach = gid == self.gid or gid not in self.pools.by_id["group"]
        a_branchs = own is not None and gid == own.id and _is_a_branchs(mark.kind, node)
        return mark if out_of_reach or a_branchs else None

    def marked_key(self, kind: str, node: Node) -> str:
        """The key that an object of ours bears; empty where its mark is not the one that we write, and has to be."""
        mark = mark_in(node.attributes())
        return mark.key if mark and (mark.community, mark.kind) == (self.community, kind) else ""

    def ours(self, kind: str) -> Iterator[tuple[str, Node]]:
        """Every object of a marked kind with its key; of two with one key the older one."""
        return iter(self._ours[kind].items())

    @cached_property
    def _ours(self) -> dict[str, dict[str, Node]]:
        marked: dict[str, list[tuple[str, Node]]] = {kind: [] for kind in MARKED}
        for pool in sorted(set(MARKED.values())):
            for node in self.pools.nodes[pool]:
                mark = self.believed(node) or self._half_made(pool, node)
                if mark is not None and MARKED.get(mark.kind) == pool:
                    marked[mark.kind].append((mark.key, node))
        found = {kind: under_present_names(self, kind, each) for kind, each in marked.items()}
        for kind, key in product(HANDED, self.groups):
            taken = {node.id for node in found[kind].values()}
            known = self._unmarked(kind, key, found) if key not in found[kind] else None
            if known is not None and known.id not in taken:
                found[kind][key] = known
        return found

    def _unmarked(self, kind: str, key: str, found: Mapping[str, Mapping[str, Node]]) -> Node | None:
        """What is a branch's of a kind, though no mark says so."""
        special = {
            "archive": lambda: named_by(self, found["template"].get(key)),
            "outbox": lambda: folder_of(self, found["exchange"].get(""), key),
        }
        return self._by_name(kind, key) or special.get(kind, lambda: None)() or self._by_group(kind, key)

    def _by_group(self, kind: str, key: str) -> Node | None:
        nodes = (node for node in self.pools.nodes[MARKED[kind]] if _is_a_branchs(kind, node))
        return handed_to(self, kind, key, nodes)

    def _by_name(self, kind: str, key: str) -> Node | None:
        """A branch's object whose mark is gone or another: its group's admin can rewrite that, and not who owns it.

        Nobody but the service user hands over what is the service user's, and no two things of one owner have one name.
        """
        name, group = object_name(self.community, key, *HANDED[kind]), self.groups[key].id
        node = self._own.get((MARKED[kind], name))
        return node if node is not None and node.number("GID") == group and _is_a_branchs(kind, node) else None

    @cached_property
    def _own(self) -> dict[tuple[str, str], Node]:
        """What is the service user's, of the kinds that are handed over, by pool and name."""
        pools = {MARKED[kind] for kind in HANDED}
        nodes = ((pool, node) for pool in pools for node in self.pools.nodes[pool] if node.number("UID") == self.uid)
        return {(pool, node.name): node for pool, node in nodes}

    def _half_made(self, pool: str, node: Node) -> Mark | None:
        """The mark that a reservation was about to get when an apply died: OpenNebula takes none when it makes one."""
        ours = node.number("UID") == self.uid and node.name in self.making and mark_in(node.attributes()) is None
        if pool != "vn" or not ours or node.number("PARENT_NETWORK_ID") < 0:
            return None
        return Mark(self.community, "network", node.name.removeprefix(f"{object_name(self.community, '')}."))

    @cached_property
    def appliances(self) -> dict[str, Node]:
        """Branch to appliance VM.

        A guest and a group's admin can rewrite a VM's attributes and its context. They cannot change its owner, the
        template that it was made from, nor put a branch's archive into a VM of the service user.
        """
        found: dict[str, Node] = {}
        for node in self.pools.nodes["vm"]:
            key = self._branch_of(node) if node.number("UID") == self.uid else None
            if key is not None:
                found.setdefault(key, node)
        return found

    def _branch_of(self, vm: Node) -> str | None:
        attributes = vm.attributes()
        template = self.refs.get(("template", int(attributes.get("TEMPLATE_ID") or -1)))
        if template is not None and template.kind == "template":
            return template.key
        disks = (self.refs.get(("image", int(disk.get("IMAGE_ID") or -1))) for disk in vectors(attributes, "DISK"))
        return next((ref.key for ref in disks if ref is not None and ref.kind == "archive"), None)

    @cached_property
    def refs(self) -> dict[tuple[str, int], Ref]:
        """Pool and id to what the object is for."""
        named = {
            (pool, node.id): Ref(kind, node.name) for kind, pool in NAMED.items() for node in self.pools.nodes[pool]
        }
        groups = {("group", node.id): Ref("group", key) for key, node in self.groups.items()}
        marked = {(MARKED[kind], node.id): Ref(kind, key) for kind in MARKED for key, node in self.ours(kind)}
        return named | groups | marked

    def ref(self, pool: str, number: int) -> Ref:
        """What an id stands for; an unknown one stays an id."""
        return self.refs.get((pool, number)) or Ref(f"#{pool}", str(number))

    def standing(self, pool: str, ref: Ref) -> Node | None:
        """The object of a pool that a reference stands for, where there is one."""
        number = next((number for (its_pool, number), its in self.refs.items() if (its_pool, its) == (pool, ref)), -1)
        return self.pools.by_id[pool].get(number)

    def owner(self, node: Node) -> Ref | None:
        """The branch group that an object belongs to; None while it is the service user's own."""
        gid = node.number("GID")
        return None if gid == self.gid else self.ref("group", gid)

    def is_handed(self, node: Node) -> bool:
        """Whether an object of the service user's is in a branch's group, whose admin may rename and mark it."""
        branches = {group.id for group in self.groups.values()}
        return node.number("UID") == self.uid and node.number("GID") in branches

    def key_text(self, kind: str) -> str:
        """A public key of the community, from its keys document."""
        document = dict(self.ours("keys")).get("")
        return "" if document is None else str(document.attributes().get(kind, ""))


def _is_a_branchs(kind: str, node: Node) -> bool:
    """Whether an object can be what a branch has of a kind: of the images a folder is an outbox, and no other is."""
    folder = MARKED.get(kind) == "image" and node.number("TYPE") == FILESYSTEM
    return kind in {*HANDED, "template"} and folder == (kind == "outbox")
