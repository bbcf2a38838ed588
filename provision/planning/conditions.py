"""What is worth knowing about a plan and is neither drift nor in its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.planning.apart import conditions_apart
from provision.planning.host_failure import conditions_of_restart
from provision.planning.undoing import conditions_of_rollback
from provision.planning.versions import conditions_of_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.planning.found import Found
    from provision.planning.resource import Ref, Resource


def conditions(wanted: Mapping[Ref, Resource], found: Found) -> Iterator[str]:
    """What people should know, beside the steps."""
    yield from found.conditions
    yield from conditions_of_version(found)
    yield from conditions_of_rollback(found)
    yield from conditions_apart(wanted, found)
    yield from conditions_of_restart(wanted, found)
    yield from _revoked_first_names(wanted, found)
    yield from _undeclared_group_admins(found)
    yield from _limits_of_new_outboxes(wanted, found)


def _revoked_first_names(wanted: Mapping[Ref, Resource], found: Found) -> Iterator[str]:
    """Branches that others know by a name that is revoked; who uses the present one knows nothing of that."""
    directory = found.view.published.directory
    for ref, each in wanted.items():
        first = each.name.removeprefix(f"{found.community}.")
        entry = directory.find(first) if directory is not None and ref.kind == "group" and first != ref.key else None
        if entry is not None and entry.revoked:
            yield (
                f"{ref.key} was made as {first}, and is revoked by that name, by which all others know it. Once it is "
                f"applied, `gurney branch enrol {ref.key} --rekey FINGERPRINT`, as its appliance's console shows it."
            )


def _limits_of_new_outboxes(wanted: Mapping[Ref, Resource], found: Found) -> Iterator[str]:
    """How much an outbox may hold: OpenNebula counts nothing that lies in a folder, a file server can."""
    standing = {each.name for ref, each in found.resources.items() if ref.kind == "outbox-folder"}
    for ref, each in wanted.items():
        if ref.kind != "outbox-folder" or each.name in standing:
            continue
        if each.spec.limit is not None:
            yield (
                f"OpenNebula cannot limit the outbox of {ref.key} to {each.spec.limit}, since it counts nothing in a "
                f"folder: tell the file server. For XFS with prjquota, N a number that is nobody else's: xfs_quota -x "
                f"-c 'project -s -p {each.spec.path} N' -c 'limit -p bhard={each.spec.limit.mib}m N' MOUNTPOINT"
            )


def _undeclared_group_admins(found: Found) -> Iterator[str]:
    """Who administers a branch's group without being one of its people here: may end its appliance."""
    ours = {each.id for ref, each in found.resources.items() if ref.kind == "cloud-user"}
    for group in found.view.groups.values():
        for number in set(group.ids("ADMINS")) - ours:
            user = found.pools.by_id["user"].get(number)
            name = user.name if user else f"user {number}"
            yield f"{name} administers group {group.name}, and stands in no `admins:` of the community file."
