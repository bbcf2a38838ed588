"""The floor: what no converter of uncompressed frames can do without. Read, one gather, filter, igzip level 1, write.

The table and the place of the pixels are known beforehand; nothing is checked, nothing is said of the picture. Run as
`python floor.py FOLDER FILE...` it makes the pictures of CT files with the floor and with the converter in turn, so
that both see the same machine, and prints CPU seconds for one more picture of each: the least of the rounds, for what
else runs on the machine can only add.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from isal import isal_zlib

from converter.batch import convert
from converter.dicom import part10
from converter.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = COLUMNS = 512
TABLE = np.clip((np.arange(65536) - 864) * 255.0 / 399 + 0.5, 0, 255).astype(np.uint8)
ROUNDS, FILES = 10, 100


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk."""
    check = isal_zlib.crc32(data, isal_zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


HEAD = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", COLUMNS, ROWS, 8, 0, 0, 0, 0))
END = chunk(b"IEND", b"")


PLACES: dict[str, int] = {}


def place(file: str) -> int:
    """Where the pixels of a file lie."""
    found = part10.read(file).pixels
    assert found
    return found[1].offset


def floor(files: list[str], folder: Path) -> None:
    """Make pictures and do nothing else; every buffer is used again."""
    folder.mkdir()
    raw = bytearray(1 << 20)
    gray = np.empty((ROWS, COLUMNS), np.uint8)
    filtered = np.empty((ROWS, COLUMNS + 1), np.uint8)
    filtered[:, 0] = 2
    for number, file in enumerate(files):
        source = os.open(file, os.O_RDONLY)
        os.readv(source, [raw])
        os.close(source)
        cells = np.frombuffer(raw, "<u2", ROWS * COLUMNS, PLACES[file]).reshape(ROWS, COLUMNS)
        np.take(TABLE, cells, out=gray, mode="wrap")
        filtered[0, 1:] = gray[0]
        np.subtract(gray[1:], gray[:-1], out=filtered[1:, 1:])
        data = isal_zlib.compress(filtered.data, 1)
        target = os.open(f"{folder}/{number}.png", os.O_WRONLY | os.O_CREAT, 0o666)
        os.write(target, HEAD + chunk(b"IDAT", data) + END)
        os.close(target)


def ours(files: list[str], folder: Path) -> None:
    """Make pictures as `gurney convert` does."""
    for _ in convert(files, Target(folder)):
        pass


def main(folder: Path, files: list[str]) -> None:
    """Take turns and print the least."""
    PLACES.update((file, place(file)) for file in files)
    programs: list[tuple[str, Callable[[list[str], Path], None]]] = [("floor", floor), ("gurney", ours)]
    spent: dict[str, list[float]] = {"floor": [], "gurney": []}
    for turn in range(ROUNDS):
        few = [files[(turn * FILES + n) % len(files)] for n in range(FILES)]
        for name, program in programs[:: 1 if turn % 2 else -1]:  # whoever is second finds the files in the cache
            shutil.rmtree(folder, ignore_errors=True)
            began = time.process_time()
            program(few, folder)
            spent[name].append((time.process_time() - began) / FILES)
    print(json.dumps({f"marginal/{name}": min(times) for name, times in spent.items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
