"""The content of an image in its datastore: copied there once, whatever becomes later of what it was made of."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from emulator.objects.front_end_files import image_folder
from emulator.objects.image import DATABLOCK, FILESYSTEM
from emulator.objects.market_file import CONTENT, content_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emulator.cloud import Cloud
    from emulator.record import Record

#: What lies in the datastore under other names, or not at all: an empty disk is made by who uses it.
WITHOUT_FILE = {DATABLOCK, FILESYSTEM}


def take(cloud: Cloud, image: Record) -> None:
    """
    Copy into an image's datastore what it is made of, where that is a file; what is there already stays.

    Raises
    ------
    OSError
        It cannot be copied; nothing of it is left.
    """
    target, origin = place_of(cloud, image), content_of(cloud, _origin(cloud, image))
    if origin is None or origin == target or image.body["TYPE"] in WITHOUT_FILE:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{CONTENT}.new")
    try:
        _copy(origin, fresh)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def place_of(cloud: Cloud, image: Record) -> Path:
    """Where the content of an image lies."""
    return image_folder(cloud, image) / CONTENT


def _origin(cloud: Cloud, image: Record) -> Record:
    """What an image is a copy of: another image, or itself, which has a path."""
    return cloud.store.get("image", image.body["CLONING_ID"]) or image


def _copy(source: Path, target: Path) -> None:
    """Copy a file; a file system that can shares its blocks, and holes stay holes."""
    try:
        with source.open("rb") as old, target.open("wb") as new:
            size = os.fstat(old.fileno()).st_size
            new.truncate(size)
            for begin, end in _written(old.fileno(), size):
                _carry(old.fileno(), new.fileno(), begin, end)
    except OSError:  # this file system, or this pair of them, cannot
        shutil.copyfile(source, target)


def _carry(source: int, target: int, begin: int, end: int) -> None:
    while begin < end and (count := os.copy_file_range(source, target, end - begin, begin, begin)):
        begin += count


def _written(file: int, size: int) -> Iterator[tuple[int, int]]:
    """The parts of a file that are no holes."""
    end = 0
    while end < size:
        try:
            begin = os.lseek(file, end, os.SEEK_DATA)
        except OSError:  # ENXIO: nothing but a hole is left
            return
        end = os.lseek(file, begin, os.SEEK_HOLE)
        yield begin, end
