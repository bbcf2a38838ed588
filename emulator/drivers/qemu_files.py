"""The files of a machine of qemu: its copy of the image, its data disks, its CONTEXT disc."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from emulator.drivers import qemu_command
from emulator.drivers.disc import disc
from emulator.errors import EmulatorError

if TYPE_CHECKING:
    from pathlib import Path

    from emulator.drivers.driver import Guest

PROGRAM = "qemu-img"
CONTEXT_FILES = ("context.sh", "token.txt")
MIB = 1024 * 1024


def prepare(guest: Guest) -> None:
    """
    Lay out the guest's files: its copy of the image, its data disks at their size, its CONTEXT disc.

    Raises
    ------
    EmulatorError
        It has no image, or one that is no disk.
    """
    if guest.hardware.system is None:
        raise EmulatorError("its first disk is no OS image")
    write_context_disc(guest)
    for path, size_mib in qemu_command.data_disks(guest):
        with path.open("ab") as file:
            if file.tell() < size_mib * MIB:
                file.truncate(size_mib * MIB)
    system = qemu_command.system_disk(guest)
    if not system.exists():
        _images(
            "create", "-q", "-f", "qcow2", "-F", _format(guest.hardware.system), "-b", guest.hardware.system, system
        )


def _format(image: Path) -> str:
    return str(json.loads(_images("info", "--output=json", image))["format"])


def _images(*arguments: object) -> str:
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise EmulatorError(done.stderr.strip() or f"{PROGRAM} failed")
    return done.stdout


def write_context_disc(guest: Guest) -> bool:
    """The files of the context, OneGate told as the guest can reach it; whether the disc is another than before."""
    folder = guest.folder / "context"
    files = {name: (folder / name).read_bytes() for name in CONTEXT_FILES if (folder / name).is_file()}
    if guest.hardware.onegate and "context.sh" in files:
        real, seen = guest.hardware.onegate.encode(), qemu_command.onegate_seen(guest).encode()
        files["context.sh"] = files["context.sh"].replace(b"ONEGATE_ENDPOINT='" + real, b"ONEGATE_ENDPOINT='" + seen)
    path, content = qemu_command.context_disc(guest), disc("CONTEXT", files)
    if path.exists() and path.read_bytes() == content:
        return False
    fresh = path.with_suffix(".new")  # a machine that runs reads the old one to its end
    fresh.touch(0o600)
    fresh.write_bytes(content)
    fresh.replace(path)
    return True
