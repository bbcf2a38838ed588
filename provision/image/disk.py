"""The disk of an image: partitions, boot loaders for BIOS and UEFI, and the file tree in an ext4, without a mount."""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision.image.errors import ImageNotBuilt
from provision.image.layout import Disk
from provision.image.tool import as_root, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.image.digest import Tree

SECTOR = 512
MIB = 1024 * 1024
DISK_MIB = 6144
"""Virtual size: room for a second kernel, logs, and updates over years; what is not used takes no space."""

GRUB = Path("/usr/lib/grub")
MODULES = ("ext2", "search", "search_label", "normal", "configfile", "linux", "serial", "terminal", "echo", "part_gpt")
BIOS_MODULES = (*MODULES, "biosdisk")
EFI_MODULES = (*MODULES, "fat", "all_video")
NAMESPACE = uuid.UUID("6f9f2c6e-6c0e-5d4a-9a53-6d1f0c2b7a11")
"""Names of partitions and file systems are derived below it, so that each build of the same has the same."""


@dataclass(frozen=True)
class Partition:
    """One partition, in sectors; `kind` is GPT's type."""

    name: str
    kind: str
    first: int
    sectors: int

    @property
    def offset(self) -> int:
        """Where it begins, in bytes."""
        return self.first * SECTOR


#: UEFI specification 2.10, 5.3.3; the BIOS boot partition is GRUB's.
LOADER = Partition("loader", "21686148-6449-6E6F-744E-656564454649", 2048, 2048)
SYSTEM = Partition("system", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", 4096, 16 * 2048)
ROOT = Partition("root", "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", 20 * 2048, (DISK_MIB - 21) * 2048)
PARTITIONS = (LOADER, SYSTEM, ROOT)


def make_disk(work: Path, tree: Tree, date: int) -> Path:
    """
    A raw disk, sparse, with the tree on it; not bootable yet.

    Raises
    ------
    ImageNotBuilt
        A tool failed; with its last words.
    """
    disk = work / "disk.raw"
    with disk.open("wb") as file:
        file.truncate(DISK_MIB * MIB)
    run(["sfdisk", "--quiet", str(disk)], stdin=_table(tree.digest))
    _fill_root(work, disk, tree, date)
    return disk


def make_bootable(work: Path, disk: Path, digest: str) -> None:
    """Put GRUB where a BIOS and where UEFI look for it."""
    config = work / "grub-early.cfg"
    config.write_text(f"search --no-floppy --label {Disk().root_label} --set root\nconfigfile /boot/grub/grub.cfg\n")
    _install_bios(work, disk, config)
    _install_efi(work, disk, config, digest)


def compress(disk: Path, target: Path) -> None:
    """Write the disk as a compressed qcow2."""
    options = ["-c", "-o", "compression_type=zstd", "-W", "-m", "4"]
    run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", *options, str(disk), str(target)])


def _table(digest: str) -> str:
    lines = [
        f"start={part.first}, size={part.sectors}, type={part.kind}, name={part.name}, uuid={_uuid(digest, part.name)}"
        for part in PARTITIONS
    ]
    return "\n".join(["label: gpt", f"label-id: {_uuid(digest, 'disk')}", *lines]) + "\n"


def _uuid(digest: str, name: str) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, f"{digest} {name}")


def _fill_root(work: Path, disk: Path, tree: Tree, date: int) -> None:
    """Unpack the tree and let mke2fs write it: as root, or as the root of a user namespace."""
    folder = work / "root"
    folder.mkdir()
    seed = _uuid(tree.digest, "root")
    options = f"offset={ROOT.offset},hash_seed={seed},lazy_itable_init=1,lazy_journal_init=1"
    script = (
        'tar --extract --exclude="./dev/*" --file "$1" --directory "$2" --numeric-owner --same-permissions --xattrs '
        '&& mke2fs -q -t ext4 -E "$3" -L "$4" -U "$5" -d "$2" "$6" "$7" && rm -rf "$2"'
    )
    values = [tree.tar, folder, options, Disk().root_label, seed, disk, f"{ROOT.sectors // 2}k"]
    shell = ["sh", "-c", script, "sh", *map(str, values)]
    fake_time = {"E2FSPROGS_FAKE_TIME": str(date)}
    run([*as_root(), *shell], environment=fake_time)


def _install_bios(work: Path, disk: Path, config: Path) -> None:
    """Boot sector and core image, with the sector numbers that grub-bios-setup would write into them."""
    core = work / "core.img"
    _grub_image("i386-pc", core, config, BIOS_MODULES)
    boot_sector = bytearray((GRUB / "i386-pc" / "boot.img").read_bytes())
    image = bytearray(core.read_bytes())
    if len(image) > LOADER.sectors * SECTOR:
        raise ImageNotBuilt(f"GRUB's core image has {len(image)} bytes and does not fit its partition")
    struct.pack_into("<Q", boot_sector, 0x5C, LOADER.first)  # where the core image begins
    boot_sector[0x66:0x68] = b"\x90\x90"  # a hard disk: do not trust the BIOS to tell a floppy from it
    struct.pack_into("<Q", image, 0x1F4, LOADER.first + 1)  # and where its second sector does
    with disk.open("r+b") as file:
        file.write(boot_sector[:440])  # the partition table follows
        file.seek(LOADER.offset)
        file.write(image)


def _install_efi(work: Path, disk: Path, config: Path, digest: str) -> None:
    loader = work / "bootx64.efi"
    _grub_image("x86_64-efi", loader, config, EFI_MODULES)
    place = f"{disk}@@{SYSTEM.offset}"
    serial = f"{_uuid(digest, 'system').int & 0xFFFFFFFF:08x}"
    blocks = SYSTEM.sectors // 2
    run(
        [
            "mkfs.fat",
            "--invariant",
            "-F",
            "16",
            "-i",
            serial,
            "-n",
            "SYSTEM",
            "--offset",
            str(SYSTEM.first),
            str(disk),
            str(blocks),
        ]
    )
    run(["mmd", "-i", place, "::EFI", "::EFI/BOOT"])
    run(["mcopy", "-i", place, str(loader), "::EFI/BOOT/BOOTX64.EFI"])


def _grub_image(platform: str, target: Path, config: Path, modules: Sequence[str]) -> None:
    folder = GRUB / platform
    if not folder.is_dir():
        package = "grub-pc-bin" if platform == "i386-pc" else "grub-efi-amd64-bin"
        raise ImageNotBuilt(f"{folder}: no such directory: apt-get install --no-install-recommends {package}")
    options = ["--directory", str(folder), "--prefix", "/boot/grub", "--config", str(config), "--output", str(target)]
    run(["grub-mkimage", "--format", platform, *options, *modules])
