"""The room that stays free on the archive's disk: where no more can be kept, people still log in and are recorded."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: For the index alone: a login or a look is some 10 KiB in its log, so this is 25,000 of them. A disk of less than
#: 2 GiB gives up an eighth.
RESERVE_BYTES = 256 * 2**20
_LARGEST_PART = 8


#: What an inbox leaves to those who send: as much as a fast network brings in ten seconds, twice. A disk of less than
#: 32 GiB gives up a sixteenth.
INBOX_MARGIN_BYTES = 2 * 2**30
_LARGEST_INBOX_PART = 16
#: Of that, what imports leave in any case: below it what was not filed goes, the oldest first.
INBOX_CLEARED = 0.5


def leave_room(folder: Path | int, size: int = 0) -> None:
    """
    Refuse to write so many bytes below a folder of the archive, or its descriptor, where the index needs what is left.

    Raises
    ------
    OSError
        ENOSPC, as if the disk were full.
    """
    if _room_bytes(os.statvfs(folder)) < size:
        raise OSError(errno.ENOSPC, "what is left of the disk is kept for logins and the audit log")


def leave_files(folder: Path | int) -> None:
    """
    Refuse one more picture where a disk has few files left: an eighth of all that it can hold is for what is received.

    Raises
    ------
    OSError
        ENOSPC, as if the disk were full.
    """
    disk = os.statvfs(folder)
    if disk.f_favail < disk.f_files // _LARGEST_PART:
        raise OSError(errno.ENOSPC, "what is left of the disk's files is kept for images that arrive")


def inbox_margins(folder: Path, size: int = 0) -> float:
    """
    How much room is left to fill, in margins of an inbox, with so many bytes more: below 1 nobody may copy more.

    Files count as well: a disk can hold so many and no more.
    """
    disk = os.statvfs(folder)
    margin = min(INBOX_MARGIN_BYTES, disk.f_blocks * disk.f_frsize // _LARGEST_INBOX_PART)
    files = disk.f_favail / (disk.f_files / _LARGEST_INBOX_PART) if disk.f_files else float("inf")
    return min((_room_bytes(disk) - size) / max(margin, 1), files)


def _room_bytes(disk: os.statvfs_result) -> int:
    """What may be written; below 0 where the reserve is touched."""
    reserve = min(RESERVE_BYTES, disk.f_blocks * disk.f_frsize // _LARGEST_PART)
    return disk.f_bavail * disk.f_frsize - reserve
