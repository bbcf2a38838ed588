"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# File systems that cannot make a file without a name: older NFS, SMB and FUSE.
_NO_UNNAMED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which gets its name when the block ends without an error; see `write`."""
    with _unfinished(path) as descriptor, open(descriptor, "wb", closefd=False) as file:
        yield file


def write(path: Path, parts: Sequence[bytes]) -> None:
    """Write a file whole or not at all, in place of one that is there; its folder is made where it is missing.

    Until it is whole it has no name (open(2), O_TMPFILE), so that a process that is killed leaves nothing behind. Where
    the file system cannot do that it has a hidden name ending in `.part`.

    Parameters
    ----------
    parts : sequence of bytes
        What it holds, written one after another without being copied together.

    Raises
    ------
    OSError
        Where the folder cannot be written or the disk is full; then nothing is left.
    """
    with _unfinished(path) as descriptor:
        written = os.writev(descriptor, parts)
        if written < sum(map(len, parts)):  # one writev(2) takes at most 2 GiB
            rest = memoryview(b"".join(parts))[written:]
            while rest:
                rest = rest[os.write(descriptor, rest) :]


@contextmanager
def _unfinished(path: Path) -> Iterator[int]:
    """The descriptor of a file that gets its name when the block ends without an error."""
    try:
        descriptor, spare = _opened(path)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, spare = _opened(path)
    try:
        try:
            yield descriptor
            if not spare:
                _name(descriptor, path)
        finally:
            os.close(descriptor)
        if spare:
            os.replace(spare, path)  # noqa: PTH105 - the hot path
    except BaseException:
        if spare:
            os.unlink(spare)  # noqa: PTH108 - the hot path
        raise


def written_at_ns(path: Path) -> int | None:
    """When a file was written last, since 1970; None where there is none, or a folder in its place."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_mtime_ns if stat.S_ISREG(status.st_mode) else None


def _spare(path: Path) -> str:
    """A hidden name beside the file's own that nobody else has, nor a process that was killed has left."""
    return f"{path.parent}/.{os.urandom(8).hex()}-{path.name[:80]}.part"


def _opened(path: Path) -> tuple[int, str]:
    """The descriptor of a new file, and its hidden name where the file system cannot make one without."""
    try:
        return os.open(path.parent, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o666), ""
    except OSError as error:
        if error.errno not in _NO_UNNAMED:
            raise
        spare = _spare(path)
        return os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), spare


def _name(descriptor: int, path: Path) -> None:
    """Give an unnamed file its name; src_dir_fd makes Python call linkat(2), which follows the link in /proc."""
    source = f"/proc/self/fd/{descriptor}"
    try:
        os.link(source, path, src_dir_fd=descriptor)
    except FileExistsError:
        spare = _spare(path)
        os.link(source, spare, src_dir_fd=descriptor)
        try:
            os.replace(spare, path)  # noqa: PTH105 - the hot path
        except OSError:
            os.unlink(spare)  # noqa: PTH108 - the hot path
            raise
