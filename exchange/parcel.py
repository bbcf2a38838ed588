"""Parcels: DICOM files one after the other, up to 64 MiB, cut apart again by what the manifest says."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar

from exchange.errors import Damaged, Tampered

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from exchange.manifest import ManifestInstance

PARCEL_BYTES = 64 << 20
"""A parcel holds no more, unless a single instance is larger: what is repeated after a crash stays small."""
_PIECE = 1 << 17

#: What is wrong with this process or machine, and not with the file that it wanted to read.
_NOT_OF_THE_FILE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN})


class KeptFile(Protocol):
    """A file of the archive, with the size and digest that the index remembers."""

    @property
    def path(self) -> Path:
        """Where it lies."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def sha256(self) -> str:
        """In hexadecimal."""


File = TypeVar("File", bound=KeptFile)


def packed(sizes: Sequence[int], limit: int) -> tuple[slice, ...]:
    """Which files go into which parcel: runs of at most `limit` bytes, in order, always the same for the same sizes."""
    runs, start, filled = [], 0, 0
    for index, size in enumerate(sizes):
        if index > start and filled + size > limit:
            runs.append(slice(start, index))
            start, filled = index, 0
        filled += size
    return (*runs, slice(start, len(sizes)))


def pieces_of(stream: BinaryIO) -> Iterator[bytes]:
    """The content in pieces of 128 KiB."""
    while piece := stream.read(_PIECE):
        yield piece


def sha256_of(stream: BinaryIO) -> tuple[str, int]:
    """Digest and size of all that is left in the stream."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces_of(stream):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


class Joined(io.RawIOBase):
    """The files one after the other, each checked against its digest while it is read.

    Raises
    ------
    Tampered
        From reading: a file is not what the index says, or cannot be read.
    """

    def __init__(self, files: Sequence[KeptFile]) -> None:
        self._pieces = _checked_pieces(files)
        self._rest = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed: WriteableBuffer
        """Hand on the current piece, or the next one."""
        self._rest = self._rest or next(self._pieces, b"")
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def close(self) -> None:
        """Close the file that is being read."""
        self._pieces.close()
        super().close()


def joined(files: Sequence[KeptFile]) -> BinaryIO:
    """The files one after the other, as a stream."""
    return io.BufferedReader(Joined(files), buffer_size=_PIECE)


def damaged(files: Sequence[File]) -> tuple[File, ...]:
    """Those of the files that are not, or cannot be read to be, what the index says."""
    return tuple(file for file in files if not _is_whole(file))


def _is_whole(file: KeptFile) -> bool:
    try:
        for _ in _checked(file):
            pass
    except Damaged:
        return False
    return True


def _checked_pieces(files: Sequence[KeptFile]) -> Generator[bytes, None, None]:
    for file in files:
        yield from _checked(file)


def _checked(file: KeptFile) -> Generator[bytes, None, None]:
    digest, size = hashlib.sha256(), 0
    try:
        with file.path.open("rb") as stream:
            for piece in pieces_of(stream):
                digest.update(piece)
                size += len(piece)
                yield piece
    except OSError as error:
        if error.errno in _NOT_OF_THE_FILE:
            raise
        raise Damaged(f"{file.path} cannot be read: {error.strerror}") from error
    if (size, digest.hexdigest()) != (file.size, file.sha256):
        raise Damaged(f"{file.path} is not what the index says: {size} bytes for {file.size}, or another digest")


class Splitter(io.RawIOBase):
    """Takes a plain parcel as it is unsealed, and makes one file of each instance in it.

    A file is complete, of the right digest, and flushed to disk before the next is begun; nothing is
    written beyond what the manifest promises.
    """

    def __init__(self, instances: Sequence[ManifestInstance], folder: Path, stem: str) -> None:
        self.paths = [folder / f"{stem}-{number:05d}.dcm" for number in range(1, len(instances) + 1)]
        self._todo = zip(instances, self.paths, strict=True)
        self._part: _Part | None = None

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]  # typeshed: ReadableBuffer
        """Distribute the piece; raises `Tampered` at the first instance that is not what was promised."""
        rest = memoryview(piece)
        while rest:
            part = self._part = self._part or self._next()
            rest = rest[part.write(rest) :]
            if part.is_full:
                part.finish()
                self._part = None
        return len(piece)

    def finish(self) -> None:
        """Raise `Tampered` unless all instances are complete."""
        if self._part is not None or next(self._todo, None) is not None:
            raise Tampered("a parcel holds less than its manifest says")

    def discard(self) -> None:
        """Remove all files that were made."""
        self.close()
        for path in self.paths:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file that is being written."""
        if self._part is not None:
            with suppress(OSError):  # what is still buffered does not fit on a full disk either
                self._part.stream.close()
        super().close()

    def _next(self) -> _Part:
        instance, path = next(self._todo, (None, None))
        if instance is None or path is None:
            raise Tampered("a parcel holds more than its manifest says")
        return _Part(instance, path)


class _Part:
    def __init__(self, instance: ManifestInstance, path: Path) -> None:
        path.unlink(missing_ok=True)  # what is left of another referral may be a kept file by another name
        self.stream = path.open("xb")
        self._instance = instance
        self._left = instance.size
        self._digest = hashlib.sha256()

    @property
    def is_full(self) -> bool:
        return self._left == 0

    def write(self, rest: memoryview) -> int:
        taken = rest[: self._left]
        self.stream.write(taken)
        self._digest.update(taken)
        self._left -= len(taken)
        return len(taken)

    def finish(self) -> None:
        with self.stream as stream:
            stream.flush()
            os.fsync(stream.fileno())
        if self._digest.hexdigest() != self._instance.sha256:
            raise Tampered("an instance is not the one that its manifest names: its digest differs")
