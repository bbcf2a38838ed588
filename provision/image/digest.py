"""The digest of a file tree: the same for two builds that made the same."""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PIECE = 1 << 20


@dataclass(frozen=True)
class Tree:
    """The file tree of an image as an archive, and what it is made of."""

    tar: Path
    digest: str
    files: int
    size: int


def describe(tar: Path) -> Tree:
    """Digest and size of the files in an archive; the digest does not depend on their order in it."""
    lines, size = [], 0
    with tarfile.open(tar) as archive:
        for member in archive:
            size += member.size
            lines.append(f"{_line(archive, member)}\n")
    whole = hashlib.sha256("".join(sorted(lines)).encode(errors="surrogateescape"))
    return Tree(tar, whole.hexdigest(), len(lines), size)


def _line(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    content = archive.extractfile(member) if member.isfile() else None
    digest = _digest(content) if content else member.linkname or "-"
    return f"{member.name} {member.type!r} {member.mode:o} {member.uid}:{member.gid} {member.mtime:.0f} {digest}"


def _digest(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := content.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()
