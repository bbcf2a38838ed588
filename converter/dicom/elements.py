"""Where each data element of a dataset lies: an index of offsets, made without decoding values.

The index exists because of a measurement: reading and asking 30 elements of a CT header of 258 elements costs 0.56 ms
with pydicom and 0.09 ms so, and a whole CT frame has a floor of 0.8 ms (docs/decisions/0101).
"""

from __future__ import annotations

import mmap
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from converter.errors import ConversionError, TooLarge
from converter.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator

Buffer = bytes | mmap.mmap

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
# Float Pixel Data, Double Float Pixel Data, Pixel Data.
PIXEL_DATA_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})

# PS3.5 7.1.2: these have two reserved bytes and a 32-bit length; the others a 16-bit length.
LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
SHORT_VRS = frozenset(
    (b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US").split()
)  # fmt: skip

_EXPLICIT = {False: Struct("<HH2sH").unpack_from, True: Struct(">HH2sH").unpack_from}
_LENGTH = {False: Struct("<L").unpack_from, True: Struct(">L").unpack_from}
_IMPLICIT = {False: Struct("<HHL").unpack_from, True: Struct(">HHL").unpack_from}


class Encoding(NamedTuple):
    """How elements are written: PS3.5 7.1 implicit or explicit VR, 7.3 byte order."""

    implicit: bool = False
    big_endian: bool = False


class Element(NamedTuple):
    """One data element: its tag, its VR (empty when implicit) and where its value lies."""

    tag: int
    vr: bytes
    offset: int
    length: int
    encoding: Encoding


def element_at(data: Buffer, position: int, encoding: Encoding) -> Element:
    """The element whose first byte is at `position`.

    An explicit element whose VR is none of the standard's is read as an implicit one: writers that copy implicit
    items into explicit files leave such.

    References
    ----------
    PS3.5 7.1.2, 7.1.3
    """
    if encoding.implicit:
        group, number, length = _IMPLICIT[encoding.big_endian](data, position)
        return Element(group << 16 | number, b"", position + 8, length, encoding)
    group, number, vr, length = _EXPLICIT[encoding.big_endian](data, position)
    if vr in SHORT_VRS:
        return Element(group << 16 | number, vr, position + 8, length, encoding)
    if vr in LONG_VRS:
        (length,) = _LENGTH[encoding.big_endian](data, position + 8)
        return Element(group << 16 | number, vr, position + 12, length, encoding)
    (length,) = _LENGTH[encoding.big_endian](data, position + 4)
    return Element(group << 16 | number, b"", position + 8, length, encoding)


def inner_encoding(element: Element) -> Encoding:
    """Encoding of the items of an undefined-length element: UN holds implicit little endian (PS3.5 6.2.2)."""
    return Encoding(implicit=True) if element.vr == b"UN" else element.encoding


def end_of_sequence(data: Buffer, element: Element, end: int) -> int:
    """Position after the delimiter of an undefined-length sequence, found without recursion.

    Raises
    ------
    TooLarge
        Where sequences lie within one another deeper than `LIMITS.nesting`.
    ConversionError
        Where the delimiter is missing.
    """
    levels: list[tuple[bool, Encoding]] = [(True, inner_encoding(element))]
    position = element.offset
    while levels:
        if len(levels) > 2 * LIMITS.nesting:
            raise TooLarge(f"sequences lie more than {LIMITS.nesting} deep")
        if position + 8 > end:
            raise ConversionError("the file ends within a sequence; it was cut off")
        in_sequence, encoding = levels[-1]
        step = _after_item_header if in_sequence else _after_item_element
        position = step(data, position, encoding, levels)
    return position


def _after_item_header(data: Buffer, position: int, encoding: Encoding, levels: list[tuple[bool, Encoding]]) -> int:
    tag, length = item_at(data, position, encoding)
    if tag == SEQUENCE_END:
        levels.pop()
        return position + 8
    if tag != ITEM:
        raise ConversionError("a sequence holds something that is no item", tag=tag)
    if length == UNDEFINED:
        levels.append((False, encoding))
        return position + 8
    return position + 8 + length


def _after_item_element(data: Buffer, position: int, encoding: Encoding, levels: list[tuple[bool, Encoding]]) -> int:
    element = element_at(data, position, encoding)
    if element.tag == ITEM_END:
        levels.pop()
        return position + 8
    if element.length == UNDEFINED:
        levels.append((True, inner_encoding(element)))
        return element.offset
    return element.offset + element.length


def item_at(data: Buffer, position: int, encoding: Encoding) -> tuple[int, int]:
    """Tag and length of the item or delimiter at `position` (PS3.5 7.5: no VR, whatever the encoding)."""
    group, number, length = _IMPLICIT[encoding.big_endian](data, position)
    return group << 16 | number, length


def index(data: Buffer, start: int, end: int, encoding: Encoding) -> dict[int, int]:
    """Where each element between two positions begins, up to and including the pixel data.

    Raises
    ------
    TooLarge
        Where there are more than `LIMITS.elements`: each costs a hundred bytes of memory, and eight in the file.
    ConversionError
        Where an element reaches past the end; pixel data may, its frames are counted later.
    """
    places: dict[int, int] = {}
    position = _after_short(data, start, end, encoding, places)
    while position + 8 <= end:
        element = element_at(data, position, encoding)
        if element.tag == ITEM_END:
            break
        places[element.tag] = position
        if element.tag in PIXEL_DATA_TAGS:
            break
        position = _after_short(data, _after(data, element, end), end, encoding, places)
        if len(places) > LIMITS.elements:
            raise TooLarge(f"there are more than {LIMITS.elements} data elements before the pixels")
    return places


def _after_short(data: Buffer, position: int, end: int, encoding: Encoding, places: dict[int, int]) -> int:
    """Index a run of explicit elements with short lengths, and give the position after them.

    Nine in ten elements are such; a loop of their own takes a third of the time. It ends after so many bytes that the
    caller can count, with no count of its own.
    """
    if encoding.implicit:
        return position
    unpack, short_vrs, last = _EXPLICIT[encoding.big_endian], SHORT_VRS, min(end - 8, position + 8 * LIMITS.elements)
    while position <= last:
        group, number, vr, length = unpack(data, position)
        after = position + 8 + length
        if vr not in short_vrs or after > end:
            break
        places[group << 16 | number] = position
        position = after
    return position


def _after(data: Buffer, element: Element, end: int) -> int:
    if element.length == UNDEFINED:
        return end_of_sequence(data, element, end)
    position = element.offset + element.length
    if position > end:
        raise ConversionError("the file ends within this element; it was cut off or is damaged", tag=element.tag)
    return position


def items(data: Buffer, element: Element) -> Iterator[tuple[int, int]]:
    """Start and end of each item of a sequence.

    References
    ----------
    PS3.5 7.5
    """
    encoding = inner_encoding(element) if element.length == UNDEFINED else element.encoding
    position = element.offset
    end = len(data) if element.length == UNDEFINED else element.offset + element.length
    while position + 8 <= end:
        tag, length = item_at(data, position, encoding)
        if tag != ITEM:
            return
        start = position + 8
        if length == UNDEFINED:
            position = _end_of_item(data, start, encoding, end)
            yield start, position - 8
        else:
            position = start + length
            if position > end:
                raise ConversionError("an item reaches past the end of its sequence")
            yield start, position


def _end_of_item(data: Buffer, start: int, encoding: Encoding, end: int) -> int:
    position = start
    while position + 8 <= end:
        element = element_at(data, position, encoding)
        if element.tag == ITEM_END:
            return position + 8
        position = _after(data, element, end)
    raise ConversionError("the file ends within an item; it was cut off")
