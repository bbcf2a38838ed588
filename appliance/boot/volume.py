"""What lies on a disk: nothing, our archive, or somebody else's data."""

from __future__ import annotations

import enum
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.boot.machine import DISK_TIMEOUT_S, attempt, run

if TYPE_CHECKING:
    from pathlib import Path

LABEL = "gurney-archive"
BLOCK = 4096
#: Stands in the last block of a disk while it is being formatted: the file system ends before it.
MARK = b"gurney: this disk is being formatted\n".ljust(512, b"\0")

#: A disk counts as empty when its beginning, its end and this many places between hold zeros only.
HEAD, TAIL, SAMPLES = 4 * 1024 * 1024, 1024 * 1024, 256

#: ext4 superblock, 1024 bytes from the beginning (Linux, fs/ext4/ext4.h).
SUPERBLOCK = 1024
MAGIC_AT, MAGIC = 0x38, 0xEF53
BLOCKS_LOW_AT, BLOCKS_HIGH_AT, BLOCK_SIZE_AT, LABEL_AT = 0x04, 0x150, 0x18, 0x78


class Kind(enum.Enum):
    """What a disk can be to us."""

    EMPTY = "empty"
    OURS = "the archive"
    UNFINISHED = "an archive whose formatting was cut off"
    FOREIGN = "somebody else's"


@dataclass(frozen=True)
class Volume:
    """A disk and what lies on it.

    Attributes
    ----------
    used
        Bytes that the archive's file system spans; 0 for everything else.
    """

    path: Path
    kind: Kind
    size: int
    used: int = 0


def look(path: Path) -> Volume:
    """Look at a disk, or at a file that stands for one, without changing it."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(SUPERBLOCK)
        superblock = file.read(SUPERBLOCK)
        if _label(superblock) == LABEL:
            return Volume(path, Kind.OURS, size, _span(superblock))
        file.seek(_mark_at(size))
        if file.read(len(MARK)) == MARK:
            return Volume(path, Kind.UNFINISHED, size)
        empty = all(_zero(file.fileno(), at, length) for at, length in _places(size))
    return Volume(path, Kind.EMPTY if empty else Kind.FOREIGN, size)


def make_archive(volume: Volume) -> Volume:
    """
    Make the archive's file system on an empty disk, or finish one that was cut off.

    Raises
    ------
    ValueError
        There is something on the disk.
    Trouble
        mke2fs failed.
    """
    if volume.kind not in {Kind.EMPTY, Kind.UNFINISHED}:
        raise ValueError(f"{volume.path} is not empty")
    _mark(volume, MARK)
    blocks = _mark_at(volume.size) // BLOCK
    options = ["-q", "-F", "-t", "ext4", "-b", str(BLOCK), "-m", "0", "-L", LABEL]
    run("mke2fs", *options, str(volume.path), str(blocks), timeout_s=DISK_TIMEOUT_S)
    _mark(volume, bytes(len(MARK)))
    return look(volume.path)


def description(path: Path) -> str:
    """What others would call the content of a disk, for a person to recognise it."""
    done = attempt(["blkid", "-p", "-o", "export", str(path)])
    facts = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    kind = facts.get("TYPE") or facts.get("PTTYPE") or "unknown data"
    return f"{kind} {facts['LABEL']!r}" if facts.get("LABEL") else kind


def _label(superblock: bytes) -> str:
    if len(superblock) < SUPERBLOCK or struct.unpack_from("<H", superblock, MAGIC_AT)[0] != MAGIC:
        return ""
    return superblock[LABEL_AT : LABEL_AT + 16].rstrip(b"\0").decode("ascii", "replace")


def _span(superblock: bytes) -> int:
    low, high, size = (
        struct.unpack_from("<I", superblock, at)[0] for at in (BLOCKS_LOW_AT, BLOCKS_HIGH_AT, BLOCK_SIZE_AT)
    )
    return int((high << 32 | low) * (1024 << size))


def _mark_at(size: int) -> int:
    return (size // BLOCK - 1) * BLOCK


def _mark(volume: Volume, mark: bytes) -> None:
    descriptor = os.open(volume.path, os.O_WRONLY)
    try:
        os.pwrite(descriptor, mark, _mark_at(volume.size))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _places(size: int) -> list[tuple[int, int]]:
    between = [(size * step // SAMPLES // BLOCK * BLOCK, BLOCK) for step in range(1, SAMPLES)]
    return [(0, HEAD), (max(0, size - TAIL), TAIL), *between]


def _zero(descriptor: int, at: int, length: int) -> bool:
    content = os.pread(descriptor, length, at)
    return content == bytes(len(content))
