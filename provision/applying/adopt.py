"""Take over an object that Gurney did not make, so that from now on it is the community's or a branch's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provision.enrolling.alone import alone
from provision.errors import Blocked
from provision.kind import MERGE
from provision.kinds.table import declared_resources
from provision.planning.marks import Mark, mark_in
from provision.planning.resource import Ref
from provision.planning.view import MARKED, View
from templates.rendering import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.node import Node
    from provision.planning.found import Found
    from provision.planning.resource import Resource

#: Kinds that can be taken over, and the pool they stand in. A VM cannot: it is known by the template it was made from.
ADOPTABLE = {
    "group": "group",
    "vdc": "vdc",
    "cloud-user": "user",
    **{kind: pool for kind, pool in MARKED.items() if pool != "document"},
}
#: Pools whose objects have no owner.
OWNERLESS = {"group", "vdc", "user"}
#: Kinds that are known by their name, which OpenNebula never changes.
BY_NAME = {"group", "cloud-user"}
#: OpenNebula's group oneadmin: whose account is in it may be a service user, and believes the marks on what it owns.
ONEADMIN = 0


def adopt(desk: Desk, community: Community, kind: str, which: str, key: str = "", *, take_over: bool = False) -> Node:
    """Mark an object as ours, and become its owner; what of it is not as declared, the next plan shows.

    Parameters
    ----------
    which
        Its id or its name.
    key
        The branch that it shall belong to, of an account `branch.login`; nothing for what is the community's own.
    take_over
        Take the place of another admin's apply that is known to be dead.

    Raises
    ------
    Blocked
        When it cannot be taken over; nothing was changed.
    Busy
        When another admin applies.
    """
    resource = declared_as(community, kind, key)
    with alone(desk, community.community, take_over=take_over) as now:
        node = candidate(now, resource, which)
        first = resource.name.removeprefix(f"{now.community}.")
        api, mark = ADOPTABLE[kind], Mark(now.community, kind, first if kind == "group" else resource.ref.key)
        if node.number("LOCK/LOCKED", 0) > 0:
            desk.cloud.call(f"{api}.unlock", node.id)
        desk.cloud.call(f"{api}.update", node.id, render("mark", mark=mark), MERGE)
        if api not in OWNERLESS:
            desk.cloud.call(f"{api}.chown", node.id, now.view.uid, now.view.gid)
    return node


def declared_as(community: Community, kind: str, key: str) -> Resource:
    """What an object shall be: one of the declared things, since the next apply deletes what is not declared.

    Raises
    ------
    Blocked
        When nothing of that kind is declared for that branch.
    """
    if kind not in ADOPTABLE:
        raise Blocked([f"{kind!r} cannot be adopted; these can: {', '.join(ADOPTABLE)}"])
    declared = {
        each.ref.key if each.ref.branch else "": each for each in declared_resources(community) if each.ref.kind == kind
    }
    if key in declared:
        return declared[key]
    if not declared:
        words = f"the community file declares no {kind}, and the next apply would delete it: declare it first"
    elif declared.keys() == {""}:
        words = f"the {kind} is the community's, and no branch's: leave --as out"
    elif not key:
        words = f"say whose {kind} it shall be: --as {' or '.join(declared)}"
    else:
        words = f"the community file declares no {kind} of {key!r}, but of {', '.join(declared)}"
    raise Blocked([words])


def candidate(found: Found, resource: Resource, which: str) -> Node:
    """The object that is meant, by its id or its name.

    Raises
    ------
    Blocked
        When there is none, or several, or it cannot become what it shall be; with what to do.
    """
    kind = resource.ref.kind
    nodes = found.pools.nodes[ADOPTABLE[kind]]
    meant = [node for node in nodes if which == str(node.id)] or [node for node in nodes if which == node.name]
    if not meant:
        raise Blocked([f"there is no {kind} {which!r} in this cloud"])
    if len(meant) > 1:
        raise Blocked([f"{which!r} names more than one {kind}: say its id, {' or '.join(str(n.id) for n in meant)}"])
    for words in _why_not(found, resource, meant[0]):
        raise Blocked([words])
    return meant[0]


def _why_not(found: Found, resource: Resource, node: Node) -> Iterator[str]:
    """Why an object cannot become a resource; nothing where it can."""
    kind, there = resource.ref.kind, f"{resource.ref.kind} {node.name} (id {node.id})"
    for community, ref in _believed(found, kind, node):
        if (community, ref) == (found.community, resource.ref):
            yield f"{there} is {ref} of {community} already: there is nothing to adopt"
        else:
            yield f"{there} is {ref} of {community}: what is somebody's is not given to another"
    if kind in BY_NAME and node.name != resource.name:
        yield f"a {kind} is known by its name, {resource.name}, and OpenNebula cannot rename {node.name}"
    if kind == "cloud-user" and found.view.ref("group", node.number("GID")) != resource.spec.group:
        yield f"{there} has {node.text('GNAME')} as its primary group, which is not that of {resource.ref.branch}"
    standing = found.resources.get(resource.ref)
    if standing is not None and standing.id != node.id:
        yield f"{resource.ref} stands already: {standing.name} (id {standing.id})"


def _believed(found: Found, kind: str, node: Node) -> Iterator[tuple[str, Ref]]:
    """Whose an object is, by a mark that its owner believes if that is a service user, of this community or another."""
    pools, pool, mark = found.pools, ADOPTABLE[kind], mark_in(node.attributes())
    owner = pools.user if pool in OWNERLESS else pools.by_id["user"].get(node.number("UID"))
    if owner is None or (owner.id != pools.user.id and ONEADMIN not in owner.ids("GROUPS")):
        return
    for community in {found.community, mark.community if mark else found.community}:
        view = View(replace(pools, user=owner), community)
        vdcs = {("vdc", vdc.id): Ref("vdc", key) for key, vdc in view.vdcs.items()}
        ref = (view.refs | vdcs).get((pool, node.id))
        if ref is not None and ref.kind in ADOPTABLE:
            yield community, ref
