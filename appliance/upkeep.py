"""What the machine under the service needs: a clock that a time server has set, and a restart after updates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: Made when an appliance's machine boots; without it the machine is somebody's own, and the service a program on it.
MACHINE = "run/gurney"
#: systemd-timesyncd makes it once a server has set the clock, and takes it away when it ends.
SYNCHRONIZED = "run/systemd/timesync/synchronized"
#: Made by Debian's hook after a kernel, and by `appliance.boot.outdated` for programs that run replaced code.
RESTART_WANTED = ("run/reboot-required", "run/gurney/restart-wanted")


@dataclass(frozen=True)
class Upkeep:
    """How the machine is.

    Attributes
    ----------
    clock_set
        Whether a time server has set its clock; None where the machine is not the appliance's own.
    restart_wanted
        Whether updates are installed that take effect after a restart only.
    """

    clock_set: bool | None
    restart_wanted: bool


def upkeep(root: Path = Path("/")) -> Upkeep:
    """How this machine is, or the one whose files lie below a folder."""
    if not (root / MACHINE).is_dir():
        return Upkeep(clock_set=None, restart_wanted=False)
    return Upkeep((root / SYNCHRONIZED).exists(), any((root / name).exists() for name in RESTART_WANTED))
