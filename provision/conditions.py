"""What is worth knowing about a plan and is neither drift nor in its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.apart import conditions_apart
from provision.host_failure import conditions_of_restart
from provision.versions import conditions_of_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.found import Found
    from provision.resource import Ref, Resource


def conditions(wanted: Mapping[Ref, Resource], found: Found) -> Iterator[str]:
    """What people should know, beside the steps."""
    yield from found.conditions
    yield from conditions_of_version(found)
    yield from conditions_apart(wanted, found)
    yield from conditions_of_restart(wanted, found)
    yield from _undeclared_group_admins(found)


def _undeclared_group_admins(found: Found) -> Iterator[str]:
    """Who administers a branch's group without being one of its people here: may end its appliance."""
    ours = {each.id for ref, each in found.resources.items() if ref.kind == "cloud-user"}
    for group in found.view.groups.values():
        for number in set(group.ids("ADMINS")) - ours:
            user = found.pools.by_id["user"].get(number)
            name = user.name if user else f"user {number}"
            yield f"{name} administers group {group.name}, and stands in no `admins:` of the community file."
