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


def leave_room(folder: Path, size: int = 0) -> None:
    """
    Refuse to write so many bytes below a folder of the archive where the index needs what is left of the disk.

    Raises
    ------
    OSError
        ENOSPC, as if the disk were full.
    """
    disk = os.statvfs(folder)
    reserve = min(RESERVE_BYTES, disk.f_blocks * disk.f_frsize // _LARGEST_PART)
    if disk.f_bavail * disk.f_frsize - size < reserve:
        raise OSError(errno.ENOSPC, "what is left of the disk is kept for logins and the audit log")
