"""The content of a data set: what it says, however it is written, so that a copy in another encoding is known again."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.datadict import dictionary_VR
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from converter.dicom import elements as el
from converter.dicom import part10
from converter.errors import ConversionError, TooLarge
from converter.limits import LIMITS, MIB

if TYPE_CHECKING:
    from pathlib import Path

    from converter.dicom.elements import Buffer, Element, Encoding
    from converter.dicom.part10 import DicomFile

#: A file, and what it inflates to, is read whole, one at a time; of larger ones nothing is said. A radiograph of 22
#: million pixels has 45 MB.
MOST_BYTES = 64 * MIB
#: In all, sequences' included: a tenth of a second.
MOST_ELEMENTS = 1 << 16

#: The same bytes for the same values (PS3.5 A.1, A.2, A.5); any other transfer syntax is compared with itself alone.
_ALIKE = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian})
#: Data Set Trailing Padding, which C-STORE leaves out (PS3.10 7.2).
_TRAILING_PADDING = 0xFFFCFFFC


@dataclass(frozen=True)
class Content:
    """Digests of a data set: of its tags and values, and of its VRs, None where it does not say them."""

    values: bytes
    vrs: bytes | None

    def is_that_of(self, other: Content) -> bool:
        """Whether both say the same; VRs are compared where both say them."""
        return self.values == other.values and (self.vrs == other.vrs or None in {self.vrs, other.vrs})


def content_of(path: Path) -> Content | None:
    """
    What a file's data set says; None where that cannot be told: it is large, big endian, or not as the standard says.

    Group lengths, the lengths of sequences and items, and padding behind the data set say nothing (PS3.5 7.2, 7.5.1).

    Raises
    ------
    OSError
        The disk does not give it.
    """
    with path.open("rb") as opened:
        data = opened.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        return None
    try:
        file = part10.read(data, unpack=_inflated)
        return _Reading(file.data, file.syntax.uid).content(_begin(file), file.header.encoding)
    except (ConversionError, struct.error, IndexError, ValueError):
        return None


def _begin(file: DicomFile) -> int:
    """Where the data set begins: behind the last element of the meta information, but for one that was deflated."""
    last = el.element_at(file.meta.data, max(file.meta.places.values()), file.meta.encoding)
    return 0 if file.syntax.deflated else last.offset + last.length


def _inflated(data: Buffer, start: int) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(memoryview(data)[start:], MOST_BYTES)
    except zlib.error as error:
        raise ConversionError(f"the deflated data set is damaged ({error})") from error
    if not inflater.eof:
        raise TooLarge(f"the deflated data set is larger than {MOST_BYTES // MIB} MiB, or cut off")
    return plain


class _Reading:
    """One pass over a data set; what is no part of it, or lies in no element, ends it with an error."""

    def __init__(self, data: Buffer, syntax: str) -> None:
        self._data = data
        self._left = MOST_ELEMENTS
        self._values, self._vrs = hashlib.sha256(), hashlib.sha256()
        self._values.update(b"alike" if syntax in _ALIKE else syntax.encode())

    def content(self, start: int, encoding: Encoding) -> Content:
        if encoding.big_endian:
            raise ConversionError("big endian")
        if self._elements(start, len(self._data), encoding, 0) != len(self._data):
            raise ConversionError("something lies behind the data set")
        return Content(self._values.digest(), None if encoding.implicit else self._vrs.digest())

    def _elements(self, position: int, end: int, encoding: Encoding, depth: int) -> int:
        """Take elements until the end, or an item's delimiter; where it is over."""
        if depth > LIMITS.nesting:
            raise TooLarge("sequences lie too deep")
        while position + 8 <= end:
            element = el.element_at(self._data, position, encoding)
            self._left -= 1
            if not self._left:
                raise TooLarge("there are too many elements")
            if element.tag == el.ITEM_END:
                return position + 8
            position = self._element(element, end, depth)
        return position

    def _element(self, element: Element, end: int, depth: int) -> int:
        stop = end if element.length == el.UNDEFINED else element.offset + element.length
        if stop > end:
            raise ConversionError("an element reaches past its end")
        if _says_nothing(element):
            return stop
        self._vrs.update(struct.pack("<L2s", element.tag, element.vr))
        inner = _encoding_of_items(element)
        if inner is not None:
            return self._sequence(element, inner, stop, depth)
        if element.length == el.UNDEFINED:
            return self._fragments(element, stop)
        self._say(b"V", element.tag, element.length)
        self._values.update(memoryview(self._data)[element.offset : stop])
        return stop

    def _sequence(self, element: Element, inner: Encoding, stop: int, depth: int) -> int:
        self._say(b"S", element.tag)
        position, is_over = element.offset, element.length != el.UNDEFINED
        while position < stop:
            tag, length = el.item_at(self._data, position, inner)
            position += 8
            if tag == el.SEQUENCE_END:
                is_over = element.length == el.UNDEFINED
                break
            position = self._item(tag, position, length, stop, inner, depth)
        if not is_over:
            raise ConversionError("a sequence has no end, or two")
        self._say(b"s")
        return position

    def _item(self, tag: int, position: int, length: int, stop: int, inner: Encoding, depth: int) -> int:
        end = stop if length == el.UNDEFINED else position + length
        if tag != el.ITEM or end > stop:
            raise ConversionError("a sequence holds something that is no item")
        self._say(b"I")
        position = self._elements(position, end, inner, depth + 1)
        if length != el.UNDEFINED and position != end:
            raise ConversionError("an item ends before its end")
        self._say(b"i")
        return position

    def _fragments(self, element: Element, stop: int) -> int:
        """Take compressed pixels as they are (PS3.5 A.4)."""
        self._say(b"P", element.tag)
        position = element.offset
        while True:
            tag, length = el.item_at(self._data, position, element.encoding)
            position += 8
            if tag == el.SEQUENCE_END:
                return position
            if tag != el.ITEM or position + length > stop:
                raise ConversionError("the pixel data holds something that is no fragment")
            self._say(b"F", length)
            self._values.update(memoryview(self._data)[position : position + length])
            position += length

    def _say(self, what: bytes, *numbers: int) -> None:
        self._values.update(what + struct.pack(f"<{len(numbers)}L", *numbers))


def _says_nothing(element: Element) -> bool:
    is_group_length = not element.tag & 0xFFFF and element.length == 4
    return is_group_length or (element.tag == _TRAILING_PADDING and element.length != el.UNDEFINED)


def _encoding_of_items(element: Element) -> Encoding | None:
    """How the items of a sequence are written; None of what is no sequence, or cannot be known to be one."""
    if element.tag in el.PIXEL_DATA_TAGS:
        return None
    if element.vr == b"SQ":
        return element.encoding
    if element.length == el.UNDEFINED:
        return el.inner_encoding(element)
    return el.Encoding(implicit=True) if element.vr in {b"", b"UN"} and _is_sequence(element.tag) else None


def _is_sequence(tag: int) -> bool:
    try:
        return dictionary_VR(tag) == "SQ"
    except KeyError:  # a private one
        return False
