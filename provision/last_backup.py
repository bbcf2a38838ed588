"""The newest backup that OpenNebula made of a branch's appliance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.found import Found


@dataclass(frozen=True)
class LastBackup:
    """When it was made, and the image that holds it."""

    made: datetime
    image: int

    def __str__(self) -> str:
        return f"{self.made:%Y-%m-%d %H:%M} UTC"


def last_backup(found: Found, branch: str) -> LastBackup | None:
    """The newest one; None where there is none."""
    vm, images = found.view.appliances.get(branch), found.pools.by_id["image"]
    numbers = vm.ids("BACKUPS/BACKUP_IDS") if vm is not None else ()
    made = [(images[number].number("REGTIME"), number) for number in numbers if number in images]
    return LastBackup(datetime.fromtimestamp(max(made)[0], UTC), max(made)[1]) if made else None
