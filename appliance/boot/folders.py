"""The shared folders of a context: disks with a mount tag, by virtiofs or 9p."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.boot.context_disc import service_group
from appliance.boot.machine import Trouble, attempt, last_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from appliance.boot.machine import Machine

_TAG = re.compile(r"DISK(\d+)_MOUNT_TAG")
_POINT = re.compile(r"/mnt/[\w.-]+")
#: Written by the service alone; every other folder is somebody else's and is only read.
WRITABLE = frozenset({"outbox"})
SAFE = "nosuid,nodev,noexec"
#: Kind of file system to its further options.
WAYS = {"virtiofs": "", "9p": ",trans=virtio,version=9p2000.L,msize=262144,access=client,cache=none"}


@dataclass(frozen=True, order=True)
class Folder:
    """A shared folder, by its tag, and where it is wanted."""

    tag: str
    point: str

    @property
    def read_only(self) -> bool:
        """Whether it is mounted read-only here, whatever the host would allow."""
        return self.tag not in WRITABLE


def folders(variables: Mapping[str, str]) -> tuple[list[Folder], list[str]]:
    """The folders of a context, and words for each that is wanted elsewhere than below /mnt: it costs no other."""
    found, wrong = [], []
    for name, tag in sorted(variables.items()):
        if disk := _TAG.fullmatch(name):
            place = f"DISK{disk[1]}_MOUNT_POINT"
            point = variables.get(place, "")
            if _POINT.fullmatch(point) and not point.endswith("/.."):
                found.append(Folder(tag, point))
            else:
                wrong.append(f"{place}={point!r} in the context: a shared folder is mounted at /mnt/NAME only")
    return found, wrong


def mount_folder(machine: Machine, folder: Folder) -> bool:
    """
    Mount a folder; False where it is mounted already.

    Raises
    ------
    Trouble
        The host does not share a folder with this tag.
    """
    point = machine.path(folder.point)
    point.mkdir(parents=True, exist_ok=True)
    if os.path.ismount(point):
        return False
    words = []
    for kind, options in WAYS.items():
        access = "ro" if folder.read_only else "rw"
        done = attempt(["mount", "-t", kind, "-o", f"{access},{SAFE}{options}", folder.tag, str(point)])
        if done.returncode == 0:
            if not _let_service_write(folder, point):
                machine.trouble(
                    f"no referral leaves: {folder.point} is another user's of the file server, see `gurney status`"
                )
            return True
        words.append(last_line(done.stderr))
    raise Trouble(f"the folder {folder.tag!r} cannot be mounted at {folder.point}: {'; '.join(words)}")


def _let_service_write(folder: Folder, point: Path) -> bool:
    """An outbox that the host made for this VM's root becomes the service's; false where it is somebody else's."""
    group = service_group()
    if not folder.read_only and group and point.stat().st_uid != group:
        try:
            os.chown(point, group, group)
        except PermissionError:
            return bool(point.stat().st_mode & stat.S_IWOTH)
    return True
