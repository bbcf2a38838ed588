"""The block devices of the machine, as the kernel lists them; nothing waits for udev."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from appliance.boot.machine import Machine

SECTOR = 512
#: Not disks of their own: what lies in memory, in files, or in other disks.
NOT_DISKS = re.compile(r"(loop|ram|zram|dm-|md|fd|nbd)\d")
OPTICAL = re.compile(r"sr\d")

#: ISO 9660, 8.4: the primary volume descriptor lies in sector 16 of 2048 bytes, the volume's name at byte 40.
DESCRIPTOR_AT = 16 * 2048
#: Its driver is in the initramfs; a slow drive on a busy host is waited for, but one that is not there not for ever.
CONTEXT_WAIT_S = 30.0
PAUSE_S = 0.1


@dataclass(frozen=True)
class Device:
    """A whole disk or an optical one."""

    name: str
    path: Path
    size: int
    read_only: bool

    @property
    def optical(self) -> bool:
        """Whether it is a CD-ROM drive."""
        return bool(OPTICAL.fullmatch(self.name))


def devices(machine: Machine) -> Iterator[Device]:
    """All disks and CD-ROM drives that have something in them, in the order of their names."""
    for folder in sorted(machine.path("/sys/block").iterdir()):
        if not NOT_DISKS.match(folder.name):
            size = int((folder / "size").read_text()) * SECTOR
            read_only = (folder / "ro").read_text().strip() == "1"
            yield Device(folder.name, machine.path("/dev", folder.name), size, read_only)


def root_device(machine: Machine) -> str:
    """The name of the disk that the machine runs from; empty where it is none."""
    number = machine.root.stat().st_dev
    folder = machine.path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if not folder.exists():
        return ""
    real = folder.resolve()
    return real.parent.name if (real / "partition").exists() else real.name


def context_device(machine: Machine, wait_s: float = CONTEXT_WAIT_S) -> Device | None:
    """The CONTEXT disc; disks are still being found while the machine boots, so it is waited for, but not for ever."""
    end = time.monotonic() + wait_s
    while True:
        for device in devices(machine):
            if volume_name(device.path) == "CONTEXT":
                return device
        if time.monotonic() >= end:
            return None
        time.sleep(PAUSE_S)


def medium_number(machine: Machine, device: Device) -> str:
    """What the kernel counts up when a drive has another medium, and tells udev; empty before Linux 5.15."""
    path = machine.path("/sys/block", device.name, "diskseq")
    return path.read_text().strip() if path.is_file() else ""


def volume_name(path: Path) -> str:
    """The name of an ISO 9660 volume; empty for anything else.

    References
    ----------
    ECMA-119 8.4: type 1, `CD001`, version, flags, 32 bytes of system and 32 of volume name.
    """
    try:
        with path.open("rb") as file:
            file.seek(DESCRIPTOR_AT)
            descriptor = file.read(72)
    except OSError:
        return ""
    if descriptor[:6] != b"\x01CD001":
        return ""
    return descriptor[40:72].decode("ascii", "replace").strip()
