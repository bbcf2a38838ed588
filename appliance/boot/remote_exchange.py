"""An exchange that is no folder of the host: mounted by NFS once the network is up, and again after each failure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from appliance.boot.folders import SAFE, Folder
from appliance.boot.machine import Trouble, attempt, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from appliance.boot.machine import Machine

VARIABLE = "GURNEY_EXCHANGE"
UNITS = "/run/systemd/system"

#: A lost server ends in an error within minutes, which the service tells and tries again; it never hangs for good.
#: Without mount.nfs4 the kernel reads the options itself, and wants the server's address among them.
OPTIONS = "vers=4.2,proto=tcp,softerr,timeo=150,retrans=3"

_SOURCE = re.compile(r"nfs://(?P<server>[\d.]+)(?P<path>/[^\s\"'\\:]+)")
_BRANCH = re.compile(r"[a-z][a-z0-9-]*")

AUTOMOUNT = """[Unit]
Description=Gurney: {point}, when it is looked into
DefaultDependencies=no
After=gurney-boot.service
Before=umount.target
Conflicts=umount.target

[Automount]
Where={point}
"""
MOUNT = """[Unit]
Description=Gurney: {what}
After=network-online.target
Wants=network-online.target

[Mount]
What={what}
Where={point}
Type=nfs4
Options={options}
TimeoutSec=90
"""


@dataclass(frozen=True)
class RemoteFolder:
    """A folder of an NFS server, and where it is wanted."""

    server: str
    path: str
    folder: Folder

    @property
    def unit(self) -> str:
        """How systemd calls the place, without its ending."""
        return self.folder.point.strip("/").replace("/", "-")

    @property
    def text(self) -> str:
        """The mount unit."""
        access = "ro" if self.folder.read_only else "rw"
        options = f"{access},{SAFE},{OPTIONS},addr={self.server}"
        return MOUNT.format(what=f"{self.server}:{self.path}", point=self.folder.point, options=options)


def remote_folders(variables: Mapping[str, str]) -> Iterator[RemoteFolder]:
    """
    The whole exchange for reading, and the branch's own outbox for writing; none where the host hands them over.

    Raises
    ------
    Trouble
        The context says where, but not so that it can be understood.
    """
    source = variables.get(VARIABLE, "")
    if not source:
        return
    found, branch = _SOURCE.fullmatch(source), variables.get("GURNEY_BRANCH", "")
    if found is None or not _is_address(found["server"]) or not _BRANCH.fullmatch(branch):
        raise Trouble(f"{VARIABLE}={source!r} in the context: expected nfs://ADDRESS/FOLDER")
    yield RemoteFolder(found["server"], found["path"], Folder("exchange", "/mnt/exchange"))
    yield RemoteFolder(found["server"], f"{found['path']}/out/{branch}", Folder("outbox", "/mnt/outbox"))


def _is_address(text: str) -> bool:
    try:
        return str(IPv4Address(text)) == text
    except ValueError:
        return False


def mount_remote(machine: Machine, variables: Mapping[str, str]) -> bool:
    """Let systemd mount the exchange whenever it is looked into; False where it knows already, or there is none."""
    folders = list(remote_folders(variables))
    written = []
    for each in folders:
        machine.path(each.folder.point).mkdir(mode=0o555, parents=True, exist_ok=True)
        place = machine.path(UNITS, each.unit)
        written.append(write(place.with_name(f"{each.unit}.mount"), each.text))
        written.append(write(place.with_name(f"{each.unit}.automount"), AUTOMOUNT.format(point=each.folder.point)))
    if any(written):
        attempt(["systemctl", "daemon-reload"])
        attempt(["systemctl", "--no-block", "restart", *(f"{each.unit}.automount" for each in folders)])
    return any(written)
