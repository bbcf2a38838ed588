"""A ZIP in the inbox: its members, piece by piece, within bounds that hold whatever it says of itself."""

from __future__ import annotations

import io
import lzma
import os
import struct
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from appliance.inbox.desk import Refused
from converter.limits import LIMITS, MIB

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zipfile import ZipFile, ZipInfo

#: APPNOTE.TXT 4.3.7, 4.3.16: a local file header; the end of an archive that holds nothing.
SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
#: The list of members is read at once, and takes ten times its size in memory: 90,000 members with names of 45 bytes.
LIST_BYTES = 8 * MIB
_PIECE_BYTES = 1 << 20
#: Others unpack a piece at once, whatever comes out of it.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
#: What `zipfile` meets a damaged archive, a newer kind of it, or a locked one with.
_FAULTS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError),
    *(RuntimeError, ValueError, LookupError, OverflowError),
)


def is_zip(start: bytes) -> bool:
    """Whether a file that begins so is a ZIP."""
    return start.startswith(SIGNATURES)


@contextmanager
def members(descriptor: int, size: int) -> Iterator[list[Member]]:
    """
    The files of an archive.

    Parameters
    ----------
    descriptor
        The archive's; closed at the end.
    size
        Its bytes.

    Raises
    ------
    Refused
        It cannot be read, or unpacks to more than there may be.
    """
    with _Bounded(descriptor, "rb") as file, _opened(file) as archive:
        found = [info for info in archive.infolist() if not info.is_dir()]
        _check(found, size)
        yield [Member(archive, info) for info in found]


class Member:
    """A file in an archive."""

    def __init__(self, archive: ZipFile, info: ZipInfo) -> None:
        self._archive, self._info = archive, info
        self.name = info.filename
        self.size = info.file_size

    def start(self, count: int) -> bytes:
        """The first bytes.

        Raises
        ------
        Refused
            It is damaged, locked, or packed in a way that is not read.
        """
        self._check()
        with _faults_told(), self._archive.open(self._info) as stream:
            return stream.read(count)

    def stream(self) -> Iterator[bytes]:
        """All bytes, in pieces; as `start` otherwise."""
        self._check()
        with _faults_told(), self._archive.open(self._info) as stream:
            while piece := stream.read(_PIECE_BYTES):
                yield piece

    def _check(self) -> None:
        if self._info.flag_bits & 0x1:  # APPNOTE.TXT 4.4.4, bit 0
            raise Refused("the ZIP is locked with a password: unpack it first")
        if self._info.compress_type not in _METHODS:
            raise Refused("the ZIP is packed in a way that is not read here: unpack it first")
        if self._info.file_size > LIMITS.inflated_bytes:
            raise Refused(f"it unpacks to more than {LIMITS.inflated_bytes // MIB} MiB")


class _Bounded(io.FileIO):
    """A file of which no more is read at once than a list of members may have."""

    def read(self, size: int | None = -1, /) -> bytes:
        """As the base's."""
        wanted = os.fstat(self.fileno()).st_size - self.tell() if size is None or size < 0 else size
        if wanted > LIST_BYTES:
            raise Refused(f"the ZIP's list of members is longer than {LIST_BYTES // MIB} MiB")
        return super().read(wanted) or b""


def _opened(file: _Bounded) -> ZipFile:
    with _faults_told():
        return zipfile.ZipFile(file)


def _check(found: list[ZipInfo], size: int) -> None:
    """No member gives more bytes than the list says; so the list tells what the whole unpacks to."""
    if sum(info.compress_size for info in found) > size:
        raise Refused("members of the ZIP lie over each other, as in one that is made to do harm")
    allowed = max(LIMITS.inflated_floor_bytes, size * LIMITS.inflated_ratio)
    if sum(info.file_size for info in found) > allowed:
        raise Refused(f"the ZIP unpacks to more than {allowed // MIB} MiB, as one does that is made to do harm")


@contextmanager
def _faults_told() -> Iterator[None]:
    try:
        yield
    except _FAULTS as error:
        raise Refused(f"the ZIP cannot be read ({str(error) or type(error).__name__})") from error
