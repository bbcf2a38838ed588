"""Lookup tables as DICOM carries them: descriptor and data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from converter.dicom import tags
from converter.errors import ConversionError

if TYPE_CHECKING:
    from converter.arrays import Array
    from converter.dicom.header import Header
    from converter.dicom.tags import Tag


@dataclass(frozen=True, slots=True)
class Lut:
    """A lookup table over integers; values beside it take its first or last entry.

    Attributes
    ----------
    first : int
        The value that the first entry belongs to.
    bits : int
        How many bits an entry's range has.
    entries : bytes
        Native-endian uint16 entries; bytes, so that tables compare and hash.
    """

    first: int
    bits: int
    entries: bytes
    explanation: str = ""

    @property
    def array(self) -> Array:
        """Entries as an array."""
        return np.frombuffer(self.entries, np.uint16)

    def __call__(self, values: Array) -> Array:
        """Entries for values, of the same shape.

        References
        ----------
        PS3.3 C.11.1.1.1, C.11.2.1.1
        """
        table = self.array
        places = np.clip(np.floor(np.asarray(values) + 0.5) - self.first, 0, len(table) - 1)
        return np.asarray(table[places.astype(np.int64)])


def lut_of(item: Header) -> Lut:
    """The table of a LUT Sequence item.

    Raises
    ------
    ConversionError
        Where descriptor or data are missing or too short.
    """
    return lut(item, tags.LUT_DESCRIPTOR, item.raw(tags.LUT_DATA), item.text(tags.LUT_EXPLANATION))


def lut(header: Header, descriptor: Tag, raw: bytes, explanation: str = "") -> Lut:
    """A table by its descriptor element and the bytes of its data.

    Bits per entry are widened to what the entries need: Modality LUTs of the field say 8 and hold more.

    References
    ----------
    PS3.3 C.11.1.1, C.11.2.1.1, C.7.6.3.1.5
    """
    count, first, bits = described(header, descriptor)
    table = entries(raw, count, bits, big_endian=header.encoding.big_endian)
    if len(table) < count:
        raise ConversionError(f"the table says {count} entries and holds {len(table)}", tag=descriptor)
    needed = int(table.max()).bit_length()
    return Lut(first, max(bits, needed), table.astype(np.uint16).tobytes(), explanation)


def described(header: Header, descriptor: Tag) -> tuple[int, int, int]:
    """Number of entries, first value mapped, bits per entry; 0 entries mean 65536."""
    values = [int(value) for value in header.numbers(descriptor)]
    if len(values) != 3:
        raise ConversionError("a lookup table needs a descriptor of three values", tag=descriptor)
    count, first, bits = values
    if not 1 <= bits & 0xFFFF <= 16:
        raise ConversionError(f"entries of {bits} bits are not known", tag=descriptor)
    return (count & 0xFFFF) or 65536, first, bits


def entries(raw: bytes, count: int, bits: int, *, big_endian: bool) -> Array:
    """Entries of a table: 16-bit words, or bytes where 8-bit entries are packed two to a word (PS3.3 C.7.6.3.1.6)."""
    if bits <= 8 and len(raw) < 2 * count:
        packed = np.frombuffer(raw, np.uint8)
        if big_endian and len(packed) % 2 == 0:
            packed = packed.reshape(-1, 2)[:, ::-1].reshape(-1)
        return packed[:count]
    words = np.frombuffer(raw[: len(raw) // 2 * 2], ">u2" if big_endian else "<u2")
    return words[:count]
