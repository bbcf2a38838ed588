"""Palette colour: three tables, plain or segmented (PS3.3 C.7.6.3.1.5, C.7.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from converter.dicom import tags
from converter.errors import ConversionError
from converter.gray.lut import described, entries

if TYPE_CHECKING:
    from converter.arrays import Array
    from converter.dicom.header import Header

_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


def palette(header: Header, bits: int = 8) -> tuple[int, Array]:
    """First value mapped, and the palette's colours.

    Returns
    -------
    first : int
        The stored value of the first entry.
    colors : ndarray, shape (entries, 3)
        uint8, or big-endian uint16 where `bits` is 16.

    Raises
    ------
    ConversionError
        Where a table is missing or damaged.
    """
    channels = [_channel(header, number) for number in range(3)]
    length = min(len(channel.entries) for channel in channels)
    table = np.stack([channel.entries[:length] for channel in channels], axis=1).astype(np.int64)
    # Entries of 8 bits in tables that say 16, and 16 in tables that say 8, are told by what they hold.
    full = 255 if int(table.max()) < 256 else 65535
    top = (1 << bits) - 1
    return channels[0].first, np.floor(table * (top / full) + 0.5).astype(np.uint8 if bits == 8 else ">u2")


class _Channel(NamedTuple):
    first: int
    entries: Array


def _channel(header: Header, number: int) -> _Channel:
    """First value mapped and entries of one colour."""
    descriptor = tags.PALETTE_DESCRIPTORS[number]
    if descriptor not in header:
        raise ConversionError("the palette is missing", tag=descriptor)
    count, first, bits = described(header, descriptor)
    big_endian = header.encoding.big_endian
    raw = header.raw(tags.PALETTE_DATA[number])
    if raw:
        table = entries(raw, count, bits, big_endian=big_endian)
    else:
        segments = entries(
            header.raw(tags.SEGMENTED_PALETTE_DATA[number]), 1 << 20, _width(bits), big_endian=big_endian
        )
        table = np.array(expanded(segments.tolist(), count), np.int64)
    if not len(table):
        raise ConversionError("the palette is empty", tag=tags.PALETTE_DATA[number])
    return _Channel(first, table[:count])


def _width(bits: int) -> int:
    return 8 if bits <= 8 else 16


def expanded(words: list[int], count: int) -> list[int]:
    """Entries of a segmented table.

    Parameters
    ----------
    words : list of int
        Opcode, length and data of each segment.
    count : int
        Entries the descriptor promises; a table stops there, so an indirect loop cannot grow without end.

    Raises
    ------
    ConversionError
        Where a segment is cut off or of an unknown kind.

    References
    ----------
    PS3.3 C.7.9.2
    """
    table: list[int] = []
    _expand(words, 0, len(words), count, table, depth=0)
    return table


def _expand(words: list[int], position: int, segments: int, count: int, table: list[int], depth: int) -> None:
    while position + 2 <= len(words) and segments > 0 and len(table) < count:
        opcode, length = words[position], words[position + 1]
        position += 2
        segments -= 1
        if opcode == _DISCRETE:
            table.extend(words[position : position + length])
            position += length
        elif opcode == _LINEAR:
            _ramp(words, position, length, table)
            position += 1
        elif opcode == _INDIRECT and depth == 0 and position + 2 <= len(words):
            _expand(words, words[position] | words[position + 1] << 16, length, count, table, depth=1)
            position += 2
        else:
            raise ConversionError(f"the palette has a segment of unknown kind {opcode}")


def _ramp(words: list[int], position: int, length: int, table: list[int]) -> None:
    """A linear segment: from the entry before, which it does not repeat, to its end value."""
    if position >= len(words) or not table:
        raise ConversionError("a linear segment of the palette has no start or no end")
    start, end = table[-1], words[position]
    table.extend(int(value) for value in np.floor(np.linspace(start, end, length + 1)[1:] + 0.5))


def colored(stored: Array, first: int, colors: Array) -> Array:
    """Colours of stored values, `(rows, columns, 3)`; values beside the palette take its first or last colour."""
    return np.take(colors, stored.astype(np.int64) - first, axis=0, mode="clip")
