"""The image that the demonstration's machines boot from: looked at before anything is made of it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.errors import EmulatorError

if TYPE_CHECKING:
    from provision.declaring.community import Community

OPTION = "--vm"
READER = "qemu-img"
#: What firmware looks for at the end of a disk's first sector, also where the disk has a GPT (UEFI 2.10, 5.2).
BOOT_SIGNATURE, SECTOR_BYTES = b"\x55\xaa", 512


def check(image: Path, community: Community) -> None:
    """
    Refuse what no machine of a community would boot from.

    Raises
    ------
    click.BadParameter
        With the reason.
    """
    if not community.image.file:
        raise click.BadParameter(
            f"the community takes its machines' image from {community.image.source}: give `image.path` in its file, "
            f"under which {image} is put on the embedded front end",
            param_hint=OPTION,
        )
    if not first_sector(image).endswith(BOOT_SIGNATURE):
        raise click.BadParameter(
            f"{image} is no disk that a machine boots from; `gurney appliance build` makes one", param_hint=OPTION
        )


def first_sector(image: Path) -> bytes:
    """What a machine sees at the beginning of its disk, whatever the image's format.

    Raises
    ------
    click.BadParameter
        The image cannot be read.
    EmulatorError
        The program that reads it is not there.
    """
    with tempfile.TemporaryDirectory() as folder:
        sector = Path(folder) / "sector"
        command = [READER, "dd", "-O", "raw", f"bs={SECTOR_BYTES}", "count=1", f"if={image.absolute()}", f"of={sector}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        except FileNotFoundError:
            raise EmulatorError(f"{READER} not found: apt-get install qemu-utils") from None
        if done.returncode:
            words = done.stderr.strip().removeprefix(f"{READER}: ")
            raise click.BadParameter(f"{image} cannot be read: {words}", param_hint=OPTION)
        return sector.read_bytes()
