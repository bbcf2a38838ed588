"""ZIP archives: what they hold, and one member's bytes within bounds."""

from __future__ import annotations

import lzma
import os
import struct
import zipfile
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from converter.errors import ConversionError, TooLarge
from converter.limits import LIMITS, MIB

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

#: What `zipfile` meets a damaged archive, a newer kind of it, or a locked one with.
_FAULTS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError),
    *(OSError, RuntimeError, ValueError, LookupError, OverflowError),
)


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    size: int


def members(path: str) -> list[Member]:
    """The files of an archive.

    Raises
    ------
    ConversionError
        Where it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [Member(info.filename, info.file_size) for info in archive.infolist() if not info.is_dir()]
    except _FAULTS as error:
        raise ConversionError(f"the ZIP archive cannot be read ({_why(error)})", file=path) from error


def content(path: str, member: str) -> bytes:
    """The bytes of a member.

    Raises
    ------
    TooLarge
        Where it unpacks to more than `LIMITS` allow, whatever the archive says of its size.
    ConversionError
        Where it is damaged or locked with a password.
    """
    name = f"{path}!{member}"
    try:
        archive = _opened(path)
        info = archive.getinfo(member)
        allowed = min(
            LIMITS.inflated_bytes, max(LIMITS.inflated_floor_bytes, info.compress_size * LIMITS.inflated_ratio)
        )
        unpacked = _unpacked(archive, info, allowed + 1)
    except _FAULTS as error:
        raise ConversionError(f"the ZIP member cannot be unpacked ({_why(error)})", file=name) from error
    if len(unpacked) > allowed:
        raise TooLarge(f"it unpacks to more than {allowed // MIB} MiB", file=name)
    return unpacked


def _why(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _unpacked(archive: ZipFile, info: ZipInfo, most: int) -> bytes:
    with archive.open(info) as stream:
        return stream.read(most)


def _opened(path: str) -> ZipFile:
    """The archive, which stays open for its next member: reading its list anew for each takes time by the square."""
    status = os.stat(path)  # noqa: PTH116 - a member may be small
    return _kept(path, os.getpid(), (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=1)
def _kept(path: str, _process: int, _state: tuple[int, ...]) -> ZipFile:
    """One archive a process: after a fork two would share the place where they read."""
    return zipfile.ZipFile(path)
