"""A file that is being taken: opened once, and held, so that what is read of it is what is removed afterwards."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from appliance.errors import ApplianceError, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE_BYTES = 1 << 20
#: A fifo is not waited for, and no link is followed.
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Busy(ApplianceError):
    """Somebody is writing this file, or has just done so: it is looked at again later."""


State = tuple[int, int, int, int]


def state_of(status: os.stat_result) -> State:
    """What changes when a file does. Clients set its time of modification as they like, never that of its change."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class Held:
    """An open file of a folder; made by `held`."""

    def __init__(self, folder: int, name: str, descriptor: int) -> None:
        self._folder, self._name, self._descriptor = folder, name, descriptor
        self._state = state_of(os.fstat(descriptor))
        self._is_leased = self._lease()

    @property
    def size(self) -> int:
        """Bytes."""
        return self._state[1]

    def start(self, count: int) -> bytes:
        """The first bytes."""
        return os.pread(self._descriptor, count, 0)

    def stream(self) -> Iterator[bytes]:
        """All bytes, in pieces.

        Raises
        ------
        Unreadable
            The file has gaps: a client that says first how long a file will be, and then breaks off, leaves those.
        """
        if self.size and os.lseek(self._descriptor, 0, os.SEEK_HOLE) < self.size:
            raise Unreadable("the copy was broken off before its end: copy the file again")
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        while piece := os.read(self._descriptor, _PIECE_BYTES):
            yield piece

    def duplicate(self) -> int:
        """Another descriptor of the same file, for a library that closes what it has read."""
        return os.dup(self._descriptor)

    def check(self) -> None:
        """Raise `Busy` where somebody has begun to write since it was opened."""
        broken = self._is_leased and fcntl.fcntl(self._descriptor, fcntl.F_GETLEASE) != fcntl.F_RDLCK
        if broken or state_of(os.fstat(self._descriptor)) != self._state:
            raise Busy("the file was changed while it was read")

    def remove(self) -> None:
        """Remove the file if it is still the one that was read; as `check_place`."""
        self.check_place()
        os.unlink(self._name, dir_fd=self._folder)

    def check_place(self) -> None:
        """Look whether what has the file's name is still what was read; who wants to write it meanwhile has to wait.

        Raises
        ------
        Busy
            It is not.
        """
        self.check()
        status = os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
        if state_of(status) != self._state:
            raise Busy("another file has taken the place of the one that was read")

    def _lease(self) -> bool:
        """
        Hold off writers, as fcntl(2) lets the owner of a file do; whether that can be done here.

        Raises
        ------
        Busy
            Somebody has the file open for writing.
        """
        fcntl.fcntl(self._descriptor, fcntl.F_SETSIG, signal.SIGURG)  # which is ignored; SIGIO would end the service
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                raise Busy("the file is being written") from error
            return False  # another's file, or a file system without leases: it has been quiet, and is compared again
        return True


@contextmanager
def held(folder: int, name: str) -> Iterator[Held]:
    """
    Open a file of a folder and hold it.

    Parameters
    ----------
    folder
        A descriptor of the folder.
    name
        The file's, from there on.

    Raises
    ------
    Busy
        It is being written.
    Unreadable
        It is no regular file, or may not be read.
    """
    descriptor = _opened(folder, name)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable("this is no regular file")
        yield Held(folder, name, descriptor)
    finally:
        os.close(descriptor)


#: A link, a socket, a file without the right to read it.
_REFUSED = frozenset({errno.ELOOP, errno.ENXIO, errno.EACCES, errno.EPERM})


def _opened(folder: int, name: str) -> int:
    try:
        return os.open(name, _OPEN, dir_fd=folder)
    except OSError as error:
        if error.errno in _REFUSED:
            raise Unreadable(f"this is no file that can be read ({error.strerror})") from error
        if error.errno == errno.EAGAIN:
            raise Busy("the file is being written") from error
        raise
