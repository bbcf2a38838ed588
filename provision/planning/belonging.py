"""Which branch an object of ours is for, where its mark tells another name: one from before, or what others wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.node import vectors
from provision.planning.marks import mark_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.node import Node
    from provision.planning.view import View

#: TYPE of an image that is a disk with data on it, which is what an archive is.
DATABLOCK = 2

#: Kinds that carry a mark, of which each branch has one.
OF_BRANCHES = frozenset({"security-group", "network", "archive", "outbox", "template"})


def under_present_names(view: View, kind: str, marked: Iterable[tuple[str, Node]]) -> dict[str, Node]:
    """What bears believed marks, by what its branch is called now; of two of one key the older one.

    What bears its branch's present name comes first, so that nothing takes its place.
    """
    each = [(key, _called_now(view, kind, key, node), node) for key, node in marked]
    called: dict[str, Node] = {}
    for key, now, node in sorted(each, key=lambda one: one[0] != one[1]):
        called.setdefault(key if now in called else now, node)
    return called


def _called_now(view: View, kind: str, key: str, node: Node) -> str:
    if kind not in OF_BRANCHES:
        return key
    holders = set(_holders(view, node)) if kind == "template" else set()
    if holders and key not in holders:
        return min(holders) if len(holders) == 1 else key
    return key if key in view.groups else view.present_name(key)


def _holders(view: View, template: Node) -> Iterator[str]:
    """The branches in whose groups a template's images and networks are: the service user alone hands them over."""
    groups = {group.id: key for key, group in view.groups.items()}
    for tag, name, pool in (("DISK", "IMAGE_ID", "image"), ("NIC", "NETWORK_ID", "vn")):
        for each in vectors(template.attributes(), tag):
            node = view.pools.by_id[pool].get(int(each.get(name) or -1))
            if node is not None and node.number("UID") == view.uid and node.number("GID") in groups:
                yield groups[node.number("GID")]


def named_by(view: View, template: Node | None) -> Node | None:
    """The archive that a branch's template names, whatever its mark, name and group are: nobody else can write that."""
    disks = vectors(template.attributes(), "DISK") if template is not None else ()
    images = (view.pools.by_id["image"].get(int(disk.get("IMAGE_ID") or -1)) for disk in disks)
    return next((image for image in images if image is not None and is_data_of(view, image)), None)


def handed_to(view: View, kind: str, key: str, nodes: Iterable[Node]) -> Node | None:
    """What a branch's group was handed of a kind, marked with a name that no branch has: it was the branch's own."""
    for node in nodes:
        mark, ours = mark_in(node.attributes()), node.number("UID") == view.uid
        if ours and node.number("GID") == view.groups[key].id and mark is not None:
            before = view.first_name(key) == mark.key or mark.key not in view.groups
            if (mark.community, mark.kind) == (view.community, kind) and before:
                return node
    return None


def folder_of(view: View, exchange: Node | None, key: str) -> Node | None:
    """The image of a branch's folder in the exchange, whatever its mark and name are now.

    A group's admin can rewrite both, but neither where an image stands (DATASTORE_ID) nor what it is of (PATH).
    """
    place, group = f"/out/{view.first_name(key)}", view.groups[key].id
    for node in view.pools.nodes["image"] if exchange is not None else ():
        stands = exchange is not None and node.number("DATASTORE_ID") == exchange.id and node.number("UID") == view.uid
        if stands and node.number("GID") == group and node.text("PATH").endswith(place):
            return node
    return None


def is_data_of(view: View, image: Node) -> bool:
    """Whether an image is the service user's and has data on it."""
    return image.number("UID") == view.uid and image.number("TYPE") == DATABLOCK
