"""A CD-ROM with a few small files, written without a tool: what a virtual machine gets as its CONTEXT disc.

References: ECMA-119 (ISO 9660) level 1, one folder. Linux shows the names in small letters.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTOR = 2048
DESCRIPTORS_AT, PATHS_LITTLE_AT, PATHS_BIG_AT, FOLDER_AT, FILES_AT = 16, 18, 19, 20, 21
NO_DATE = bytes(7)
NEVER = b"0" * 16 + b"\0"
FOLDER_FLAG = 2


def disc(volume: str, files: Mapping[str, bytes]) -> bytes:
    """
    The image of a disc.

    Parameters
    ----------
    volume
        Its name, in capital letters.
    files
        Name (at most 8.3 characters) to content.
    """
    places, entries = _placed(files)
    folder = b"".join(
        [_record(b"\0", FOLDER_AT, SECTOR, FOLDER_FLAG), _record(b"\1", FOLDER_AT, SECTOR, FOLDER_FLAG), *entries]
    )
    end = FILES_AT + sum(_sectors(content) for content in files.values())
    sectors = {
        DESCRIPTORS_AT: _descriptor(volume, end),
        DESCRIPTORS_AT + 1: b"\xffCD001\1",
        PATHS_LITTLE_AT: struct.pack("<BBIH", 1, 0, FOLDER_AT, 1) + b"\0\0",
        PATHS_BIG_AT: struct.pack(">BBIH", 1, 0, FOLDER_AT, 1) + b"\0\0",
        FOLDER_AT: folder,
        **places,
    }
    image = bytearray(end * SECTOR)
    for number, content in sectors.items():
        image[number * SECTOR : number * SECTOR + len(content)] = content
    return bytes(image)


def _placed(files: Mapping[str, bytes]) -> tuple[dict[int, bytes], list[bytes]]:
    """Where each file's content lies, and the entries of the folder, which go by name."""
    places: dict[int, bytes] = {}
    entries = []
    number = FILES_AT
    for name, content in sorted(files.items()):
        places[number] = content
        entries.append(_record(f"{name.upper()};1".encode("ascii"), number, len(content), 0))
        number += _sectors(content)
    return places, entries


def _sectors(content: bytes) -> int:
    return max(1, -(-len(content) // SECTOR))


def _record(name: bytes, sector: int, length: int, flags: int) -> bytes:
    """ECMA-119 9.1."""
    size = 33 + len(name) + (len(name) + 1) % 2
    body = struct.pack("BB", size, 0) + _both(sector, "I") + _both(length, "I") + NO_DATE
    body += struct.pack("BBB", flags, 0, 0) + _both(1, "H") + struct.pack("B", len(name)) + name
    return body.ljust(size, b"\0")


def _both(number: int, kind: str) -> bytes:
    """A number in both byte orders, as ECMA-119 has it."""
    return struct.pack(f"<{kind}", number) + struct.pack(f">{kind}", number)


def _descriptor(volume: str, sectors: int) -> bytes:
    """ECMA-119 8.4."""
    return b"".join(
        [
            b"\1CD001\1\0",
            b"LINUX".ljust(32),
            volume.encode("ascii").ljust(32),
            bytes(8),
            _both(sectors, "I"),
            bytes(32),
            _both(1, "H") * 2,
            _both(SECTOR, "H"),
            _both(10, "I"),  # length of the path table
            struct.pack("<II", PATHS_LITTLE_AT, 0),
            struct.pack(">II", PATHS_BIG_AT, 0),
            _record(b"\0", FOLDER_AT, SECTOR, FOLDER_FLAG),
            b" " * (128 * 4 + 37 * 3),
            NEVER * 4,
            b"\1\0",
        ]
    )
