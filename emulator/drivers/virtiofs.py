"""Folders that guests share with this machine by virtiofs: one server a folder, as libvirt starts them on a host.

What a guest may only read is bound read-only before its server sees it: no root in a guest gets past that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.drivers.process import started
from emulator.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emulator.drivers.driver import Guest, Mount

#: Where distributions put it: no program for a user's PATH.
PROGRAMS = (Path("/usr/libexec/virtiofsd"), Path("/usr/lib/qemu/virtiofsd"))
START_S, POLL_S = 30.0, 0.05
#: `$1` folder, `$2` program, `$3` socket, `$4` the folder as an option. In a mount namespace of its own.
READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && '
SERVE = 'exec "$2" --socket-path="$3" -o source="$4" -o cache=always -o log_level=err -f'


@cache
def program() -> Path | None:
    """The server, where it is installed and can be used: it needs root and mount namespaces; else None."""
    found = next((path for path in PROGRAMS if path.is_file()), None)
    if found is None or os.geteuid() != 0:
        return None
    trial = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return found if trial.returncode == 0 else None


def sockets(guest: Guest) -> list[Path]:
    """Where the servers of a guest's folders listen to qemu, under names that no other guest of this machine has.

    They are named from the guest's folder, as its path may be too long for a socket; and virtiofsd holds
    /run/virtiofsd/NAME.pid, with the name as it is told.
    """
    own = sha256(bytes(guest.folder)).hexdigest()[:16]
    return [guest.folder / f"virtiofs{number}-{own}" for number, _ in enumerate(guest.mounts)]


def serve(guest: Guest, server: Path) -> list[subprocess.Popen[bytes]]:
    """
    Start a server for each folder of a guest; each ends when the guest does.

    Raises
    ------
    EmulatorError
        One does not start.
    """
    servers = []
    with (guest.folder / "console.log").open("ab") as console:
        for mount, place in zip(guest.mounts, sockets(guest), strict=True):
            place.unlink(missing_ok=True)
            servers.append(started(command(mount, server, place), guest.folder, console))
    try:
        _wait_until_they_listen(guest, servers)
    except EmulatorError:
        end(servers)
        raise
    return servers


def command(mount: Mount, server: Path, place: Path) -> list[str]:
    """What is run for one folder, in the folder of the socket."""
    script = (READ_ONLY if mount.read_only else "") + SERVE
    option = str(mount.path).replace("\\", "\\\\").replace(",", "\\,")  # a comma would begin the next option
    return ["unshare", "--mount", "sh", "-c", script, "sh", str(mount.path), str(server), place.name, option]


def end(servers: Sequence[subprocess.Popen[bytes]]) -> None:
    """End servers that have not ended with their guest."""
    for server in servers:
        if server.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_until_they_listen(guest: Guest, servers: Sequence[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + START_S
    while not all(place.exists() for place in sockets(guest)):
        if time.monotonic() > deadline or any(server.poll() is not None for server in servers):
            raise EmulatorError(f"virtiofsd does not share a folder: see {guest.folder / 'console.log'}")
        time.sleep(POLL_S)
