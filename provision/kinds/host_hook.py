"""The hook that lets VMs of a dead host start again on another: OpenNebula's own `ft/host_error.rb`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.kind import MERGE, Kind, renaming
from provision.node import first
from provision.planning.marks import mark_in, object_name
from provision.planning.resource import Existing, Ref, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.kind import Act
    from provision.node import Node
    from provision.planning.view import View

THE_HOOK = Ref("host-hook")

#: A script that OpenNebula brings along (share/hooks/ft/host_error.rb). `-m`: VMs are placed anew, where the system
#: datastore is shared; `-p 5`: only if the host is still gone after five rounds of monitoring.
COMMAND, ARGUMENTS = "ft/host_error.rb", "$TEMPLATE -m -p 5"


@dataclass(frozen=True)
class HostHook:
    """How a hook is."""

    resource: str
    state: str
    command: str
    arguments: str
    by_stdin: bool
    remote: bool


def declared(community: Community) -> Iterator[Resource]:
    """One hook for the cloud, where the community wants its appliances started again."""
    if community.on_host_failure == "restart":
        spec = HostHook("HOST", "ERROR", COMMAND, ARGUMENTS, by_stdin=True, remote=False)
        yield Resource(THE_HOOK, object_name(community.community, "host-failure"), spec)


def found(view: View) -> Iterator[Existing]:
    """The hook, if it stands. Nobody but the cloud's owners can make one, so its mark is believed."""
    for node in view.pools.nodes["hook"]:
        told = node.attributes()
        mark = mark_in(told)
        if mark is not None and (mark.community, mark.kind) == (view.community, "host-hook"):
            yield Existing(Ref("host-hook", mark.key), node.name, _spec(node), node.id, mark.key, node)
            return


def _spec(node: Node) -> HostHook:
    told = node.attributes()
    return HostHook(
        resource=first(told, "RESOURCE"),
        state=first(told, "STATE"),
        command=first(told, "COMMAND"),
        arguments=first(told, "ARGUMENTS"),
        by_stdin=first(told, "ARGUMENTS_STDIN").upper() == "YES",
        remote=first(told, "REMOTE").upper() == "YES",
    )


def others(view: View) -> Iterator[Node]:
    """Hooks of somebody else that act when a host fails."""
    ours = {each.id for each in found(view)}
    for node in view.pools.nodes["hook"]:
        spec = _spec(node)
        if node.id not in ours and (spec.resource, spec.state) == ("HOST", "ERROR"):
            yield node


def create(act: Act, resource: Resource) -> int:
    """Make the hook, with its mark."""
    return int(act.call("hook.allocate", act.text("host_hook", resource, new=True)))


def rewrite(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
    """Write the hook anew."""
    act.call("hook.update", number, act.text("host_hook", resource, new=False), MERGE)


def remove(act: Act, found: Existing) -> None:
    """Delete the hook."""
    act.call("hook.delete", found.id)


KIND = Kind(
    name="host-hook",
    declared=declared,
    found=found,
    create=create,
    in_place={
        **dict.fromkeys(("state", "command", "arguments", "by_stdin", "remote"), rewrite),
        "name": renaming("hook"),
    },
    remove=remove,
)
