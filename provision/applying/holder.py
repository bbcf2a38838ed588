"""Who applies: an admin's process, and whether it is certain that it has ended."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from provision.node import first

if TYPE_CHECKING:
    from provision.node import Node

#: What it takes to tell one machine from another of the same name. machine-id(5) is not to be told, a digest may be; it
#: is the same on machines made from one image, and a container may have none: boot_id is another at each start.
MACHINE, BOOT = Path("/etc/machine-id"), Path("/proc/sys/kernel/random/boot_id")
PROC = Path("/proc")
#: Where in a process's `stat`, counted from field 4, it says when it began: field 22 (proc_pid_stat(5)).
STARTTIME = 22 - 4


@dataclass(frozen=True)
class Holder:
    """Who applies. A process is known by its number and by when it began, since numbers come again.

    Attributes
    ----------
    place
        Where its number means something: the machine, since it was started, and the namespace of processes; empty where
        that cannot be told.
    """

    admin: str
    host: str
    process: str
    started: str
    place: str

    @property
    def dead(self) -> bool:
        """Whether it is certain that the process is gone: its number means something here, and it is no longer."""
        number, _, began = self.process.partition("@")
        return self.place == _place() != "" and _is_gone(number, began)

    def __str__(self) -> str:
        return f"{self.admin} on {self.host}, process {self.process.partition('@')[0]}, since {self.started}"


def this_process() -> Holder:
    """Who is asking."""
    number = str(os.getpid())
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return Holder(_admin(), socket.gethostname(), f"{number}@{_told(number)[1]}", started, _place())


def holder_of(node: Node) -> Holder:
    """Who made a Document."""
    told = node.attributes()
    return Holder(*(first(told, f"GURNEY_{what}") for what in ("ADMIN", "HOST", "PROCESS", "STARTED", "PLACE")))


def _place() -> str:
    """The digest of what tells this place from others; empty where /proc is that of another namespace, or none."""
    try:
        if (PROC / "self").readlink().name != str(os.getpid()):
            return ""
        namespace = str((PROC / "self/ns/pid").readlink())
        machine = MACHINE.read_text() if MACHINE.exists() else ""
        return sha256(f"{machine}\n{BOOT.read_text()}\n{namespace}".encode()).hexdigest()
    except OSError:
        return ""


def _is_gone(number: str, began: str) -> bool:
    """Whether nothing runs under a number, or something that began at another time; what cannot be seen may run."""
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (ValueError, OverflowError):
        return False
    except PermissionError:
        pass  # it is another account's, and runs
    state, now = _told(number)
    return state == "Z" or (began != now and "" not in (began, now))


def _told(number: str) -> tuple[str, str]:
    """A process's state and when it began; empty where that cannot be read, which a mount with `hidepid` forbids."""
    try:
        state, *fields = (PROC / number / "stat").read_text().rpartition(")")[2].split()
        return state, fields[STARTTIME]
    except (OSError, ValueError, IndexError):
        return "", ""


def _admin() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
