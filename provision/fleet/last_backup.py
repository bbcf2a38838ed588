"""The newest backup that OpenNebula made of a branch's appliance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provision.planning.resource import Ref

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.planning.found import Found


@dataclass(frozen=True)
class LastBackup:
    """When it was made, the image that holds it, and whether it is of a VM that the branch has no more."""

    made: datetime
    image: int
    former: bool = False

    def __str__(self) -> str:
        return f"{self.made:%Y-%m-%d %H:%M} UTC"


def last_backup(found: Found, branch: str) -> LastBackup | None:
    """The newest one; None where there is none."""
    vm, images = found.view.appliances.get(branch), found.pools.by_id["image"]
    present = vm.ids("BACKUPS/BACKUP_IDS") if vm is not None else ()
    numbers = {*(number for number in present if number in images), *_of_branch(found, branch)}
    made = [(images[number].number("REGTIME"), number) for number in numbers]
    if not made:
        return None
    when, number = max(made)
    return LastBackup(datetime.fromtimestamp(when, UTC), number, former=number not in present)


#: An image's TYPE, as OpenNebula counts: a backup.
BACKUP = 6


def _of_branch(found: Found, branch: str) -> Iterator[int]:
    """Backups of a branch's appliances, also of those that are no more.

    OpenNebula gives a backup to the VM's owner and group. Only appliances are both the service user's and in a branch's
    group, and nobody else can make an image the service user's.
    """
    for node in found.pools.nodes["image"]:
        ours = node.number("TYPE") == BACKUP and node.number("UID") == found.view.uid
        if ours and found.view.owner(node) == Ref("group", branch):
            yield node.id
