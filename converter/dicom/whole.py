"""Whether a DICOM file is whole: a copy that was broken off has its header, and not all of its pixels."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from converter.dicom import elements as el
from converter.dicom import part10
from converter.dicom.tags import NUMBER_OF_FRAMES
from converter.errors import ConversionError

if TYPE_CHECKING:
    import os

    from converter.dicom.elements import Buffer, Element
    from converter.dicom.part10 import DicomFile

_PIECE_BYTES = 1 << 20
#: A value of odd length whose padding byte (PS3.5 7.1.1) was forgotten is met in the field.
_FORGOTTEN_BYTES = 1


def check_whole(path: str | os.PathLike[str]) -> None:
    """Read to the end of the pixel data, without looking at it.

    Raises
    ------
    ConversionError
        Where the file ends before.

    References
    ----------
    PS3.5 A.4: fragments end with a Sequence Delimitation Item; RFC 1951 3.2.3: the last block of a deflated stream says
    that it is the last.
    """
    file = part10.read(path, unpack=_read_to_its_end)
    if file.pixels is None:
        return
    tag, element = file.pixels
    if not _is_there(file, element):
        raise ConversionError("the file ends within the pixel data; it was cut off", tag=tag)


def _is_there(file: DicomFile, element: Element) -> bool:
    if element.length != el.UNDEFINED:
        return element.offset + element.length <= len(file.data) + _FORGOTTEN_BYTES
    end, fragments, is_ended = _fragments(file.data, element)
    frames = file.header.integer(NUMBER_OF_FRAMES) or 1
    return end <= len(file.data) + _FORGOTTEN_BYTES and (is_ended or fragments > frames)


def _fragments(data: Buffer, element: Element) -> tuple[int, int, bool]:
    """Where the items end, how many there are (the offset table is one), and whether something says that they end."""
    position, count = element.offset, 0
    while position + 8 <= len(data):
        tag, length = el.item_at(data, position, element.encoding)
        if tag != el.ITEM:
            return position, count, True
        position, count = position + 8 + length, count + 1
    return position, count, False


def _read_to_its_end(data: Buffer, start: int) -> bytes:
    """Nothing of a deflated data set, once it is seen to have its end; `read_header` has bounded it before."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for place in range(start, len(data), _PIECE_BYTES):
        packed = data[place : place + _PIECE_BYTES]
        while packed and not inflater.eof:
            inflater.decompress(packed, _PIECE_BYTES)
            packed = inflater.unconsumed_tail
    if not inflater.eof:
        raise ConversionError("the file ends within its deflated data set; it was cut off")
    return b""
