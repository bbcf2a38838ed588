"""The boot loaders of an image, for BIOS and UEFI: GRUB of Debian's packages, none of the building machine's."""

from __future__ import annotations

import hashlib
import shutil
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.image.disk import LOADER, SECTOR, SYSTEM, uuid_of
from provision.image.errors import ImageNotBuilt
from provision.image.tool import run

if TYPE_CHECKING:
    from pathlib import Path

    from provision.image.packages import Packages

#: Where they are made in the file tree, and gone before it is finished.
PLACE = "gurney-loader"
#: Where they lie when they are made, below the folder of the work.
LOADERS = "loaders"
FILES = ("boot.img", "core.img", "bootx64.efi")


@dataclass(frozen=True)
class Loaders:
    """What GRUB's tools made, in a folder."""

    folder: Path

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each file."""
        return {name: hashlib.sha256((self.folder / name).read_bytes()).hexdigest() for name in FILES}


def lay_out_loaders(root: Path, packages: Packages, script: str) -> None:
    """
    Put the packages and the script that makes loaders of them below `root`, as they lie in the file tree.

    Raises
    ------
    ImageNotBuilt
        A package is not what Debian's index says.
    """
    folder = root / PLACE
    folder.mkdir(parents=True)
    for package in packages.loader:
        shutil.copyfile(package.found_in(packages.folder), folder / package.file)
    (folder / "make.sh").write_text(script)


def loader_hooks(target: Path) -> list[str]:
    """What mmdebstrap is told once those lie in the file tree: make the loaders, hand them out, leave no trace."""
    target.mkdir()
    files = " ".join(f"/{PLACE}/{name}" for name in FILES)
    return [f'chroot "$1" sh /{PLACE}/make.sh', f"copy-out {files} {target}", f'rm -rf "$1/{PLACE}"']


def make_bootable(disk: Path, loaders: Loaders, digest: str, date: int) -> None:
    """
    Put GRUB where a BIOS and where UEFI look for it.

    Raises
    ------
    ImageNotBuilt
        It does not fit.
    """
    _install_bios(disk, loaders.folder)
    _install_efi(disk, loaders.folder, digest, date)


def _install_bios(disk: Path, loaders: Path) -> None:
    """Boot sector and core image, with the sector numbers that grub-bios-setup would write into them."""
    boot_sector = bytearray((loaders / "boot.img").read_bytes())
    image = bytearray((loaders / "core.img").read_bytes())
    if len(image) > LOADER.sectors * SECTOR:
        raise ImageNotBuilt(f"GRUB's core image has {len(image)} bytes and does not fit its partition")
    struct.pack_into("<Q", boot_sector, 0x5C, LOADER.first)  # where the core image begins
    boot_sector[0x66:0x68] = b"\x90\x90"  # a hard disk: do not trust the BIOS to tell a floppy from it
    struct.pack_into("<Q", image, 0x1F4, LOADER.first + 1)  # and where its second sector does
    with disk.open("r+b") as file:
        file.write(boot_sector[:440])  # the partition table follows
        file.seek(LOADER.offset)
        file.write(image)


def _install_efi(disk: Path, loaders: Path, digest: str, date: int) -> None:
    fixed_time = {"SOURCE_DATE_EPOCH": str(date), "TZ": "UTC"}
    place = f"{disk}@@{SYSTEM.offset}"
    serial = f"{uuid_of(digest, 'system').int & 0xFFFFFFFF:08x}"
    size = ["--offset", str(SYSTEM.first), str(disk), str(SYSTEM.sectors // 2)]
    run(["mkfs.fat", "--invariant", "-F", "16", "-i", serial, "-n", "SYSTEM", *size])
    run(["mmd", "-i", place, "::EFI", "::EFI/BOOT"], environment=fixed_time)
    run(["mcopy", "-i", place, str(loaders / "bootx64.efi"), "::EFI/BOOT/BOOTX64.EFI"], environment=fixed_time)
