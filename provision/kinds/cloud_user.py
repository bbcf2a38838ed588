"""A person of a branch who has an OpenNebula account, in the branch's group and in no other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.enrolling.credential import forgotten_password, hand_over
from provision.errors import CloudError, CloudUnreachable
from provision.kind import MERGE, Kind
from provision.node import first
from provision.planning.marks import mark_in, object_name
from provision.planning.resource import Existing, Ref, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.declaring.community import Community
    from provision.kind import Act
    from provision.node import Node
    from provision.planning.view import View

#: Stands on the account once its first credential lies in a file.
HANDED_OVER = "GURNEY_CREDENTIAL"

#: OpenNebula's own way to check passwords and tokens.
DRIVER = "core"


@dataclass(frozen=True)
class CloudUser:
    """How an account is, beside its name, which OpenNebula never changes.

    Attributes
    ----------
    group
        The branch's, which is the account's primary one.
    others
        Groups that it is in beside that: none.
    group_admin
        Whether it administers the branch's group.
    handed_over
        Whether its first credential was written to a file.
    key
        Whom the credential is encrypted to; empty where nobody is named.
    """

    group: Ref
    others: frozenset[Ref]
    group_admin: bool
    marked: bool
    handed_over: bool
    key: str = field(default="", compare=False)


def declared(community: Community) -> Iterator[Resource]:
    """An account for each declared person of a branch."""
    for name, branch in community.branches.items():
        for login, person in branch.admins.items():
            spec = CloudUser(
                group=Ref("group", name),
                others=frozenset(),
                group_admin=person.group_admin,
                marked=True,
                handed_over=True,
                key=person.key or "",
            )
            yield Resource(Ref("cloud-user", f"{name}.{login}"), object_name(community.community, name, login), spec)


def found(view: View) -> Iterator[Existing]:
    """The accounts that stand.

    A person can rewrite the attributes of the own account, and a group's admin makes accounts in the own group; nobody
    but the cloud's owner can rename one or put it into another group. So an account is a branch's by its name and its
    primary group together.
    """
    for node in view.pools.nodes["user"]:
        branch, login = _person(view, node)
        if login:
            spec = _spec(view, node, view.groups[branch], marked=_marked(view, node))
            yield Existing(Ref("cloud-user", f"{branch}.{login}"), node.name, spec, node.id, None, node)


def _person(view: View, node: Node) -> tuple[str, str]:
    """The branch and the login of an account; no login where it is none of a branch's, or not known to be."""
    group = view.ref("group", node.number("GID"))
    branch = group.key if group.kind == "group" else ""
    known = _marked(view, node) or node.name in view.making
    return branch, _login_in(view, node, branch) if known else ""


def _marked(view: View, node: Node) -> bool:
    mark = mark_in(node.attributes())
    return mark is not None and (mark.community, mark.kind) == (view.community, "cloud-user")


def in_the_way(resource: Resource, view: View) -> bool:
    """Whether an account that is not known as a declared one has its name: that one alone is not made."""
    return _stranger(resource, view) is not None


def _stranger(resource: Resource, view: View) -> Node | None:
    node = view.pools.named("user", resource.name)
    return None if node is None or _person(view, node)[1] else node


def conditions_of_accounts(declared: Iterable[Resource], view: View) -> Iterator[str]:
    """The accounts that cannot be made: anybody may take the mark off the own account, a group's admin take a name."""
    names = {each.name for each in declared if each.ref.kind == KIND.name}
    for node in view.pools.nodes["user"]:
        if node.name in names and not _person(view, node)[1]:
            yield (
                f"Account {node.name} exists (id {node.id}), and is not Gurney's, or its person took the mark off it. "
                "It is left alone, everything else goes on. If it is that person's, adopt it; if not, delete it."
            )
        elif node.name not in names and _undeclared(view, node):
            yield (
                f"Account {node.name} (id {node.id}) is called as Gurney calls a branch's people, and the community "
                "file names nobody so: its person took the mark off it, or a group's admin made it. It still lets "
                f"somebody in: delete it (oneuser delete {node.id})."
            )


def _undeclared(view: View, node: Node) -> bool:
    """Whether an account without our mark has a name and a group that ours have."""
    group = view.ref("group", node.number("GID"))
    return group.kind == "group" and not _marked(view, node) and bool(_login_in(view, node, group.key))


def _login_in(view: View, node: Node, branch: str) -> str:
    """The login in an account's name, `community.branch.login`; the branch may have been called otherwise before."""
    community, _, rest = node.name.partition(".")
    named, _, login = rest.partition(".")
    ours = community == view.community and (named == branch or named not in view.groups)
    return login if branch and ours else ""


def _spec(view: View, node: Node, group: Node, *, marked: bool) -> CloudUser:
    primary = node.number("GID")
    return CloudUser(
        group=view.ref("group", primary),
        others=frozenset(view.ref("group", number) for number in node.ids("GROUPS") if number != primary),
        group_admin=node.id in group.ids("ADMINS"),
        marked=marked,
        handed_over=bool(first(node.attributes(), HANDED_OVER)),
    )


def create(act: Act, resource: Resource) -> int:
    """Make the account with a password that nobody knows, and mark it; one that cannot be marked is taken away."""
    number = _allocated(act, resource)
    try:
        mark(act, resource, number, None)
    except CloudError:
        act.finish("user.delete", number)
        raise
    return number


def _allocated(act: Act, resource: Resource) -> int:
    """A new account; when the answer is lost it is looked up by its name, which nobody had when this apply began."""
    try:
        group = act.id_of(resource.spec.group)
        return int(act.call("user.allocate", resource.name, forgotten_password(), DRIVER, [group]))
    except CloudUnreachable:
        users = act.desk.cloud.read("userpool.info").children("USER")
        made = next((node.id for node in users if node.name == resource.name), None)
        if made is None:
            raise
        return made


def mark(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
    """Write the account's mark."""
    act.finish("user.update", number, act.text("mark", resource), MERGE)


def set_groups(act: Act, _resource: Resource, number: int, found: Existing | None) -> None:
    """Take the account out of every group but its branch's."""
    others: frozenset[Ref] = found.spec.others if found else frozenset()
    for ref in sorted(others):
        act.call("user.delgroup", number, act.id_of(ref))


def set_group_admin(act: Act, resource: Resource, number: int, found: Existing | None) -> None:
    """Let the account administer its group, or no longer."""
    before = found is not None and found.spec.group_admin
    if resource.spec.group_admin != before:
        call = "group.addadmin" if resource.spec.group_admin else "group.deladmin"
        act.call(call, act.id_of(resource.spec.group), number)


def hand_over_credential(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
    """Make a login token, write it to a file, and note on the account that this was done."""
    spec: CloudUser = resource.spec
    path = hand_over(act.desk, resource.name, act.id_of(spec.group), spec.key)
    words = f"{path} holds the login token of {resource.name}, for a week: hand it over, and delete the file."
    act.notes.append(words)
    act.desk.notes.append(words)
    act.call("user.update", number, act.text("credential", resource), MERGE)


def remove(act: Act, found: Existing) -> None:
    """Delete the account; what it made stays in the branch's group."""
    act.call("user.delete", found.id)


KIND = Kind(
    name="cloud-user",
    declared=declared,
    found=found,
    create=create,
    in_place={
        "marked": mark,
        "others": set_groups,
        "group_admin": set_group_admin,
        "handed_over": hand_over_credential,
    },
    later=("group_admin", "handed_over"),
    remove=remove,
    after=("vdc",),  # nobody comes in before the branch is apart from the others
    waits=in_the_way,
)
