"""Whose picture a PNG is, by what it says of itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

from converter.picture.png import SIGNATURE

if TYPE_CHECKING:
    from pathlib import Path

SOP_INSTANCE_UID = "SOP Instance UID"
_KEY = SOP_INSTANCE_UID.encode() + b"\0"
# The text stands behind header, physical size, colour profile and two others; a chunk of text is no longer than this.
_CHUNKS = 16
_TEXT_BYTES = 4096


def owner(path: Path) -> str | None:
    """The SOP Instance UID of a picture; None where there is none, it cannot be read, or says nothing of it."""
    try:
        with path.open("rb") as file:
            return _owner(file) if file.read(len(SIGNATURE)) == SIGNATURE else None
    except OSError:
        return None


def _owner(file: BinaryIO) -> str | None:
    for _ in range(_CHUNKS):
        head = file.read(8)
        length = int.from_bytes(head[:4])
        if head[4:] in (b"", b"IDAT"):
            break
        content = file.read(length) if head[4:] == b"tEXt" and length < _TEXT_BYTES else b""
        if content.startswith(_KEY):
            return content[len(_KEY) :].decode("latin-1")
        file.seek(length - len(content) + 4, os.SEEK_CUR)
    return None
