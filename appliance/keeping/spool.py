"""The spool: where a file grows until it is whole, on the archive's own disk, under a name that nobody knows."""

from __future__ import annotations

import errno
import hashlib
import os
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from appliance.errors import ArchiveFull
from appliance.keeping.header import Header, read_header
from appliance.keeping.room import leave_room

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: No room: on the disk, in the user's quota, or under the limit on a file's size.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True)
class Arrival:
    """A whole file in the spool, flushed to the disk: ready to be filed."""

    path: Path
    size: int
    sha256: str
    header: Header


class Arriving:
    """
    A file in the spool that is still being written.

    Used as a context manager, it removes the file where the block ends without `finish`.
    """

    def __init__(self, spool: Path) -> None:
        self.path = spool / uuid.uuid4().hex
        self.size = 0
        self._digest = hashlib.sha256()
        with room_told("the spool"):
            leave_room(spool)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, data: bytes | memoryview) -> None:
        """
        Append bytes.

        Raises
        ------
        ArchiveFull
            There is no room; the file is gone.
        """
        view = memoryview(data)
        self._digest.update(view)
        self.size += len(view)
        with self._whole_or_gone():
            leave_room(self.path.parent, len(view))
            while view:
                view = view[os.write(self._descriptor, view) :]

    def finish(self) -> Arrival:
        """
        Flush the file to the disk and read its header.

        Raises
        ------
        ArchiveFull, Unreadable
            There is no room, or it is no DICOM instance; the file is gone.
        """
        with self._whole_or_gone():
            os.fsync(self._descriptor)
            header = read_header(self.path)
        self._close()
        return Arrival(self.path, self.size, self._digest.hexdigest(), header)

    def discard(self) -> None:
        """Remove the file; does nothing once it is finished or gone."""
        if self._descriptor >= 0:
            self._close()
            self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1

    @contextmanager
    def _whole_or_gone(self) -> Iterator[None]:
        try:
            with room_told("the spool"):
                yield
        except BaseException:
            self.discard()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.discard()


@contextmanager
def room_told(place: str) -> Iterator[None]:
    """Turn "no space left on device" and its kin into `ArchiveFull`."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise ArchiveFull(f"{place} cannot grow: {error.strerror}") from error
        raise
