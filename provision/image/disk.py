"""The disk of an image: its partitions, and the file tree in an ext4, without a mount."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.image.layout import Disk
from provision.image.tool import as_root, run

if TYPE_CHECKING:
    from pathlib import Path

    from provision.image.digest import Tree

SECTOR = 512
MIB = 1024 * 1024
DISK_MIB = 6144
"""Virtual size: room for a second kernel, logs, and updates over years; what is not used takes no space."""

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


def compress(disk: Path, target: Path) -> None:
    """Write the disk as a compressed qcow2."""
    options = ["-c", "-o", "compression_type=zstd", "-W", "-m", "4"]
    run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", *options, str(disk), str(target)])


def _table(digest: str) -> str:
    lines = [
        f"start={part.first}, size={part.sectors}, type={part.kind}, name={part.name}, "
        f"uuid={uuid_of(digest, part.name)}"
        for part in PARTITIONS
    ]
    return "\n".join(["label: gpt", f"label-id: {uuid_of(digest, 'disk')}", *lines]) + "\n"


def uuid_of(digest: str, name: str) -> uuid.UUID:
    """The number by which a part of the disk with a tree of this digest goes."""
    return uuid.uuid5(NAMESPACE, f"{digest} {name}")


def _fill_root(work: Path, disk: Path, tree: Tree, date: int) -> None:
    """Unpack the tree and let mke2fs write it: as root, or as the root of a user namespace."""
    folder = work / "root"
    folder.mkdir()
    seed = uuid_of(tree.digest, "root")
    options = f"offset={ROOT.offset},hash_seed={seed},lazy_itable_init=1,lazy_journal_init=1"
    script = (
        'tar --extract --exclude="./dev/*" --file "$1" --directory "$2" --numeric-owner --same-permissions --xattrs '
        '&& mke2fs -q -t ext4 -E "$3" -L "$4" -U "$5" -d "$2" "$6" "$7" && rm -rf "$2"'
    )
    values = [tree.tar, folder, options, Disk().root_label, seed, disk, f"{ROOT.sectors // 2}k"]
    shell = ["sh", "-c", script, "sh", *map(str, values)]
    fake_time = {"E2FSPROGS_FAKE_TIME": str(date)}
    run(shell, within=as_root(), environment=fake_time)
