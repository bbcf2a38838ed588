"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# File systems that cannot make a file without a name: older NFS, SMB and FUSE.
_NO_UNNAMED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which gets its name when the block ends without an error.

    Until then it has none (open(2), O_TMPFILE), so that a process that is killed leaves nothing behind. Where the file
    system cannot do that it has a hidden name ending in `.part`.

    Raises
    ------
    OSError
        Where the folder cannot be written or the disk is full; then nothing is left.
    """
    spare = f"{path.parent}/.{os.getpid()}-{path.name[:80]}.part"
    descriptor, unnamed = _opened(path, spare)
    try:
        with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - an open descriptor
            yield file
            if unnamed:
                _name(descriptor, path, spare)
        if not unnamed:
            os.replace(spare, path)  # noqa: PTH105 - the hot path
    except BaseException:
        if not unnamed:
            os.unlink(spare)  # noqa: PTH108 - the hot path
        raise


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, in place of one that is there."""
    with appearing(path) as file:
        written = file.write(content)
        while written < len(content):  # one write(2) takes at most 2 GiB
            written += file.write(memoryview(content)[written:])


def _opened(path: Path, spare: str) -> tuple[int, bool]:
    try:
        return os.open(path.parent, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o666), True
    except OSError as error:
        if error.errno not in _NO_UNNAMED:
            raise
        return os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666), False


def _name(descriptor: int, path: Path, spare: str) -> None:
    """Give an unnamed file its name; src_dir_fd makes Python call linkat(2), which follows the link in /proc."""
    source = f"/proc/self/fd/{descriptor}"
    try:
        os.link(source, path, src_dir_fd=descriptor)
    except FileExistsError:
        os.link(source, spare, src_dir_fd=descriptor)
        os.replace(spare, path)  # noqa: PTH105 - the hot path
