"""The exchange in a shared folder: virtiofs, NFS, or a disk of this machine."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

from exchange.errors import AlreadyThere, NotThere, Unreachable, UnsafeEntry
from exchange.store import TEMPORARY, Entry, Writer, bounded, check_size, parts_of, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a pipe that nobody writes to returns at once; it means nothing for a regular file.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder(Writer):
    """A folder that may be the weakest there is: no locks, no notification, stale after a replacement.

    So a file is written under a temporary name, flushed, and linked to a name that nobody has looked up
    before; a link, unlike a rename, cannot replace. Every part of a name is opened relative to the
    part before it and never through a symbolic link: others can write in this tree.
    """

    def __init__(self, path: Path, mode: int = 0o644) -> None:
        self.path = path
        self.mode = mode

    def __repr__(self) -> str:
        return f"Folder({str(self.path)!r})"

    def list(self, folder: str = "") -> Iterator[Entry]:
        """One directory scan; each name is looked at with `lstat`."""
        with suppress(NotThere), _reading(folder):
            descriptor = self._descend(parts_of(folder) if folder else [])
            with _closing(descriptor), os.scandir(descriptor) as found:
                for entry in found:
                    with suppress(FileNotFoundError):  # removed by its owner meanwhile
                        yield _entry(entry.name, entry.stat(follow_symlinks=False))

    def open(self, name: str, max_bytes: int) -> BinaryIO:
        """Opened without following links and without waiting for a pipe; size and type are those of the open file."""
        *folders, last = parts_of(name)
        with _reading(name), _closing(self._descend(folders)) as parent:
            # Looked at first: opening a device can do things.
            _check_regular(name, os.stat(last, dir_fd=parent, follow_symlinks=False))
            descriptor = os.open(last, _READ, dir_fd=parent)
        stream = os.fdopen(descriptor, "rb")
        try:
            status = os.fstat(descriptor)
            _check_regular(name, status)
            check_size(name, status.st_size, max_bytes)
        except BaseException:
            stream.close()
            raise
        return bounded(stream, max_bytes, name, _reading)

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """Temporary name, fsync, link, fsync of the folder."""
        *folders, last = parts_of(name)
        with _closing(self._descend(folders, make=True)) as parent:
            temporary = TEMPORARY + uuid4().hex
            with _translated(name):
                descriptor = os.open(temporary, _CREATE, self.mode, dir_fd=parent)
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    yield stream
                    stream.flush()
                    os.fchmod(descriptor, self.mode)
                    os.fsync(descriptor)
                with _translated(name):
                    os.link(temporary, last, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
            finally:
                os.unlink(temporary, dir_fd=parent)
            os.fsync(parent)

    def delete(self, name: str) -> None:
        """Unlink; a link is removed, not what it points to."""
        *folders, last = parts_of(name)
        with suppress(NotThere), _closing(self._descend(folders)) as parent, _translated(name):
            os.unlink(last, dir_fd=parent)

    def make_folder(self, name: str) -> None:
        """Make each part that is missing."""
        os.close(self._descend(parts_of(name), make=True))

    def remove_folder(self, name: str) -> None:
        """Remove the folder unless something lies in it."""
        *folders, last = parts_of(name)
        with suppress(NotThere), _closing(self._descend(folders)) as parent, suppress(OSError):
            os.rmdir(last, dir_fd=parent)

    def _descend(self, folders: Sequence[str], *, make: bool = False) -> int:
        """A descriptor of the folder, reached part by part from the root of the store."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise Unreachable(f"the folder {self.path} cannot be opened: {error.strerror}") from error
        for folder in folders:
            with _closing(descriptor) as parent, _translated("/".join(folders)):
                if make:
                    _make(folder, parent)
                descriptor = os.open(folder, _FOLDER, dir_fd=parent)
        return descriptor


def _make(folder: str, parent: int) -> None:
    with suppress(FileExistsError):
        os.mkdir(folder, 0o755, dir_fd=parent)
        os.fsync(parent)


def _entry(name: str, status: os.stat_result) -> Entry:
    try:
        name.encode()
    except UnicodeEncodeError:
        return Entry(printable(name), "other")
    if stat.S_ISREG(status.st_mode):
        return Entry(name, "file", status.st_size)
    return Entry(name, "folder" if stat.S_ISDIR(status.st_mode) else "other")


def _check_regular(name: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeEntry(f"{printable(name)} is not a regular file")


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Errors of the file system that mean something here; the others (disk full, not permitted) stay."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotThere(f"{printable(name)} is not there") from error
    except FileExistsError as error:
        raise AlreadyThere(f"{printable(name)} is there already, and nothing is replaced") from error
    except OSError as error:
        if isinstance(error, NotADirectoryError) or error.errno == errno.ELOOP:
            raise UnsafeEntry(f"{printable(name)} leads over a link or a file") from error
        raise


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """All errors: in others' outboxes, what cannot be read must stop nobody, whoever has made it so."""
    try:
        with _translated(name):
            yield
    except PermissionError as error:
        raise UnsafeEntry(f"{printable(name)} may not be read") from error
    except OSError as error:
        raise Unreachable(f"{printable(name)} cannot be read: {error.strerror}") from error
