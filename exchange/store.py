"""What every store of the exchange can do: list, read, write once, delete own."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

from exchange.errors import TooLarge, UnsafeEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPORARY = ".tmp-"
"""What a file is called until it is whole. Readers pass such names over; only their owner removes them."""

Kind = Literal["file", "folder", "other"]
Door = Callable[[str], AbstractContextManager[None]]
"""Translates a library's errors about a name into ours."""


@dataclass(frozen=True)
class Entry:
    """One name in a folder of the store; `size` in bytes is 0 unless it is a file."""

    name: str
    kind: Kind
    size: int = 0


class Reader(Protocol):
    """A store that can be looked at. Names are relative, with `/` between their parts."""

    def list(self, folder: str = "") -> Iterator[Entry]:
        """What lies directly in `folder`, lazily and in any order; nothing if there is no such folder."""

    def has_folder(self, name: str) -> bool:
        """Whether there is such a folder; raises what `list` raises."""
        parent, _, last = name.rpartition("/")
        return any(entry.name == last and entry.kind == "folder" for entry in self.list(parent))

    def open(self, name: str, max_bytes: int) -> BinaryIO:
        """A regular file, opened for reading; never more than `max_bytes` come out of it.

        Raises
        ------
        NotThere
            No such file.
        UnsafeEntry
            The name leaves the store, or it or a folder on the way is a link, pipe or device.
        TooLarge
            The file is, or while being read becomes, larger than `max_bytes`.
        """

    def read(self, name: str, max_bytes: int) -> bytes:
        """The content of a small file; raises what `open` raises."""
        with self.open(name, max_bytes) as stream:
            return stream.read()

    def close(self) -> None:
        """End the connection, where there is one."""
        return


class Writer(Reader, Protocol):
    """A store, or the part of one, that is ours to write in. Nothing is ever replaced."""

    def create(self, name: str) -> AbstractContextManager[BinaryIO]:
        """A new file: visible, whole and on disk after a clean exit, not at all after an exception.

        Raises
        ------
        AlreadyThere
            There is one of that name; it stays as it is.
        """

    def put(self, name: str, content: bytes) -> None:
        """Write a small file; raises what `create` raises."""
        with self.create(name) as stream:
            stream.write(content)

    def delete(self, name: str) -> None:
        """Remove a file; that it is not there is fine."""

    def make_folder(self, name: str) -> None:
        """Make a folder and those above it; that it is there is fine."""

    def give_folder(self, name: str, owner: int) -> bool:
        """Let a user of the file server, and its group, write in a folder; False where whoever is asking may not.

        True where nobody has to: who reaches a folder of this machine, or a bucket, writes there as whoever made it.
        """
        del name, owner
        return True

    def remove_folder(self, name: str) -> None:
        """Remove a folder if it is empty; that it is not there is fine."""

    def sweep(self, folder: str = "") -> int:
        """Remove, in `folder` and below, what killed writers left unfinished; only where nobody else writes."""
        removed = 0
        for entry in tuple(self.list(folder)):
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.kind == "folder":
                removed += self.sweep(name)
            elif entry.name.startswith(TEMPORARY):
                self.delete(name)
                removed += 1
        return removed


def parts_of(name: str) -> list[str]:
    """The parts of a name, each safe to hand to a file system.

    Raises
    ------
    UnsafeEntry
        A part is empty, `.`, `..`, too long, or carries a separator, a control or an undecodable character.
    """
    parts = name.split("/")
    if not all(_is_safe(part) for part in parts):
        raise UnsafeEntry(f"not a name for the exchange: {printable(name)}")
    return parts


def _is_safe(part: str) -> bool:
    return (
        0 < len(part) <= 255 and part not in {".", ".."} and part.isascii() and part.isprintable() and "\\" not in part
    )


def printable(name: str) -> str:
    """A foreign name, fit for a log line: ASCII, short, nothing that a terminal obeys."""
    return ascii(name[:120])


class Bounded(io.RawIOBase):
    """A stream that ends in `TooLarge` when more than `max_bytes` come out of it.

    `door` translates what goes wrong while it is read, as it did when it was opened.
    """

    def __init__(self, stream: BinaryIO, max_bytes: int, name: str, door: Door) -> None:
        self._stream = stream
        self._left = max_bytes
        self._name = name
        self._door = door

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed: WriteableBuffer
        """Read on, one byte further than allowed, to see whether there is more."""
        with self._door(self._name):
            piece = self._stream.read(min(len(buffer), self._left + 1))
        self._left -= len(piece)
        if self._left < 0:
            raise TooLarge(f"{printable(self._name)} grew while it was read")
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Close the stream beneath, too."""
        if not self.closed:
            self._stream.close()
        super().close()


def bounded(stream: BinaryIO, max_bytes: int, name: str, door: Door) -> BinaryIO:
    """The stream, buffered, and cut off with `TooLarge` after `max_bytes`."""
    return io.BufferedReader(Bounded(stream, max_bytes, name, door), buffer_size=1 << 17)


def check_size(name: str, size: int, max_bytes: int) -> None:
    """Raise `TooLarge` before a byte is read."""
    if size > max_bytes:
        raise TooLarge(f"{printable(name)} has {size} bytes, more than the {max_bytes} that are read")
