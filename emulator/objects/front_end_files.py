"""The file system of the front end and the hosts: paths as OpenNebula knows them, and where they lie here.

Every path that a user names (an image's PATH, the exchange's) lies under `STATE/host`; datastores lie under
`STATE/datastores/<id>`.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from emulator.errors import Code, Refused
from emulator.template import first

if TYPE_CHECKING:
    from emulator.cloud import Cloud
    from emulator.record import Record

MIB = 1024 * 1024
QCOW2_MAGIC = b"QFI\xfb"


def host_path(cloud: Cloud, path: str) -> Path:
    """Where a path of the front end lies; `..` does not lead out."""
    parts = [part for part in PurePosixPath(path).parts if part not in {"/", ".."}]
    return cloud.settings.state.joinpath("host", *parts)


def image_folder(cloud: Cloud, image: Record) -> Path:
    """Where an image's content lies."""
    return cloud.settings.state / "datastores" / str(image.body["DATASTORE_ID"]) / str(image.oid)


def size_mib(cloud: Cloud, path: str) -> int:
    """Size of what a path names, at least 1; a qcow2 file has the size that it pretends.

    Raises
    ------
    Refused
        INTERNAL, when there is nothing.
    """
    if "://" in path:
        return 1  # a download's size is known only once it is there
    place = host_path(cloud, path)
    if not place.exists():
        text = f"Cannot parse image SIZE: cannot access '{path}' (No such file or directory)"
        raise Refused(Code.INTERNAL, text)
    if place.is_dir():
        return 1
    return max(1, -(-virtual_size(place) // MIB))


def virtual_size(place: Path) -> int:
    """The size in bytes that a file's disk has."""
    with place.open("rb") as file:
        head = file.read(32)
    if head.startswith(QCOW2_MAGIC) and len(head) == 32:
        return int.from_bytes(head[24:32], "big")
    return place.stat().st_size


def file_format(place: Path) -> str:
    """`qcow2`, `raw`, or `dir`."""
    if place.is_dir():
        return "dir"
    with place.open("rb") as file:
        return "qcow2" if file.read(4) == QCOW2_MAGIC else "raw"


def is_allowed(datastore: Record, path: str) -> bool:
    """Whether a datastore takes images from a path: not from a restricted folder, unless from a safe one in it."""
    safe = first(datastore.template, "SAFE_DIRS").split()
    restricted = first(datastore.template, "RESTRICTED_DIRS").split()
    return _within(path, safe) or not _within(path, restricted)


def _within(path: str, folders: list[str]) -> bool:
    return any(PurePosixPath(path).is_relative_to(folder) for folder in folders)
