"""The CONTEXT disc: found, read, and copied to where the service may read it."""

from __future__ import annotations

import grp
import os
from typing import TYPE_CHECKING

from appliance.boot.devices import CONTEXT_WAIT_S, context_device, medium_number
from appliance.boot.machine import Trouble, run, write
from appliance.context import parse
from appliance.errors import BadContext

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from appliance.boot.machine import Machine

#: What the service needs of the disc; the token is the VM's secret.
FILES = {"context.sh": 0o640, "token.txt": 0o640}
SERVICE_GROUP = "gurney"
#: Says which medium was read: a disc that comes later is told by udev, and the event of this one tells nothing new.
LOOKED = "looked-for-context"

NOT_FOUND = (
    "no disc named CONTEXT: this VM was started without a CONTEXT section, or its CD-ROM cannot be read; "
    "network cards ask DHCP, and nobody can log in"
)


def read_disc(machine: Machine, *, wait_s: float = CONTEXT_WAIT_S) -> Mapping[str, str]:
    """
    The variables of the context; they are copied to /run/gurney/context for the service.

    Raises
    ------
    Trouble
        There is no such disc, it cannot be mounted, or it holds something else than OpenNebula writes.
    """
    device = context_device(machine, wait_s)
    write(machine.run_folder() / LOOKED, f"{medium_number(machine, device)}\n" if device else "")
    if device is None:
        raise Trouble(NOT_FOUND)
    folder = machine.run_folder() / "disc"
    folder.mkdir(exist_ok=True)
    run("mount", "-t", "iso9660", "-o", "ro,nosuid,nodev,noexec", str(device.path), str(folder))
    try:
        return take_over(machine, folder)
    finally:
        run("umount", str(folder))


def take_over(machine: Machine, folder: Path) -> Mapping[str, str]:
    """
    Copy what the service needs from a mounted disc, and return the variables.

    Raises
    ------
    Trouble
        `context.sh` is missing, or no list of variables.
    """
    try:
        text = (folder / "context.sh").read_text(encoding="utf-8")
        variables = parse(text)
    except (OSError, UnicodeDecodeError, BadContext) as error:
        raise Trouble(f"the CONTEXT disc cannot be used: {error}") from error
    target = machine.run_folder() / "context"
    target.mkdir(mode=0o755, exist_ok=True)
    for name, mode in FILES.items():
        if (folder / name).is_file():
            write(target / name, (folder / name).read_text(encoding="utf-8"), mode=mode, group=service_group())
    return variables


def service_group() -> int:
    """The number of the service's group; 0 where this machine has none."""
    if os.geteuid() != 0:
        return 0
    try:
        return grp.getgrnam(SERVICE_GROUP).gr_gid
    except KeyError:
        return 0
