"""Take over an object that Gurney did not make, so that from now on it is a branch's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.errors import Blocked
from provision.kind import MERGE
from provision.planning.marks import Mark, object_name
from provision.planning.view import MARKED
from templates.rendering import render

if TYPE_CHECKING:
    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.node import Node
    from provision.planning.found import Found

#: Kinds that can be taken over, and the pool they stand in. A VM cannot: it is known by the template it was made from.
ADOPTABLE = {
    "group": "group",
    "vdc": "vdc",
    "cloud-user": "user",
    **{kind: pool for kind, pool in MARKED.items() if pool != "document"},
}
#: Pools whose objects have no owner.
OWNERLESS = {"group", "vdc", "user"}


def candidate(community: Community, found: Found, kind: str, which: str, branch: str) -> Node:
    """The object that is meant, by its id or its name.

    Raises
    ------
    Blocked
        When there is none, or several, or it cannot be taken over; with what to do.
    """
    if kind not in ADOPTABLE:
        raise Blocked([f"{kind!r} cannot be adopted; these can: {', '.join(ADOPTABLE)}"])
    if branch and branch not in community.branches:
        raise Blocked([f"there is no branch {branch!r} in the community file"])
    meant = [node for node in found.pools.nodes[ADOPTABLE[kind]] if which in {str(node.id), node.name}]
    if not meant:
        raise Blocked([f"there is no {kind} {which!r} in this cloud"])
    if len(meant) > 1:
        raise Blocked([f"{which!r} names more than one {kind}: say its id, {' or '.join(str(n.id) for n in meant)}"])
    needed = object_name(community.community, branch)
    if kind == "group" and meant[0].name != needed:
        raise Blocked([f"a group is known by its name, {needed}, and OpenNebula cannot rename {meant[0].name}"])
    return meant[0]


def adopt(desk: Desk, found: Found, kind: str, node: Node, key: str) -> None:
    """Mark an object as ours, and become its owner; what of it is not as declared, the next plan shows."""
    api = ADOPTABLE[kind]
    if node.number("LOCK/LOCKED", 0) > 0:
        desk.cloud.call(f"{api}.unlock", node.id)
    desk.cloud.call(f"{api}.update", node.id, render("mark", mark=Mark(found.community, kind, key)), MERGE)
    if ADOPTABLE[kind] not in OWNERLESS:
        desk.cloud.call(f"{api}.chown", node.id, found.view.uid, found.view.gid)
