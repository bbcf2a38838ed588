"""The bytes of each frame: a slice of native pixel data, or fragments put together (PS3.5 A.4)."""

from __future__ import annotations

import itertools
import mmap
import struct
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from converter.dicom import elements as el
from converter.dicom.tags import EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS, PIXEL_DATA
from converter.errors import ConversionError
from converter.limits import MIB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from converter.dicom.elements import Buffer, Element
    from converter.dicom.header import Header

# A codestream's first and last bytes, for finding where frames start when no offset table tells (PS3.5 A.4):
# JPEG and JPEG-LS, JPEG 2000 and HTJ2K codestreams, JP2 boxes, bare JPEG XL and its container.
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ", b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")

# Looking at one item header maps up to 2 MiB around it, so a large file is let go of on the way.
_LOOKED_THROUGH_BYTES = 16 * MIB

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class NativeFrames:
    """Frames that lie one after another, a whole number of bits each."""

    data: Buffer
    start: int
    length: int
    frame_bits: int

    def __len__(self) -> int:
        return self.length * 8 // self.frame_bits

    def span(self, frame: int) -> tuple[Span, int]:
        """Bytes that hold a frame (counted from 0), and the bit of the first one at which it starts (PS3.5 8.1.1).

        Raises
        ------
        ConversionError
            Where the pixel data ends before the frame does.
        """
        first_bit = frame * self.frame_bits
        begin, end = first_bit // 8, -(-(first_bit + self.frame_bits) // 8)
        if end > self.length:
            has = max(0, self.length - begin)
            raise ConversionError(f"the pixel data ends early: {end - begin} bytes are needed, {has} are there",
                                  frame=frame + 1, tag=PIXEL_DATA)  # fmt: skip
        return (self.start + begin, self.start + end), first_bit % 8

    def release(self, frame: int) -> None:
        """Let go of the memory that a mapped frame took."""
        (begin, end), _ = self.span(frame)
        release(self.data, begin, end)


@dataclass(frozen=True, slots=True)
class EncapsulatedFrames:
    """Frames in fragments.

    Attributes
    ----------
    fragments : sequence of (start, end)
        Where each fragment's bytes lie in the data.
    first : sequence of int
        Index of each frame's first fragment.
    """

    data: Buffer
    fragments: Sequence[Span]
    first: Sequence[int]
    lengths: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.first)

    def stream(self, frame: int) -> bytes:
        """The codestream of a frame, counted from 0.

        Raises
        ------
        ConversionError
            Where there is no such frame.
        """
        parts = [self.data[begin:end] for begin, end in self._spans(frame)]
        stream = parts[0] if len(parts) == 1 else b"".join(parts)
        return stream[: self.lengths[frame]] if frame < len(self.lengths) else stream

    def release(self, frame: int) -> None:
        """Let go of the memory that a mapped frame took."""
        spans = self._spans(frame)
        release(self.data, spans[0][0], spans[-1][1])

    def _spans(self, frame: int) -> Sequence[Span]:
        if frame >= len(self.first):
            raise ConversionError(f"only {len(self.first)} frames are in the file", frame=frame + 1, tag=PIXEL_DATA)
        after = self.first[frame + 1] if frame + 1 < len(self.first) else len(self.fragments)
        return self.fragments[self.first[frame] : after]


def release(data: Buffer, begin: int, end: int) -> None:
    """Give back the pages between two positions of a mapped file, so that memory stays flat."""
    if isinstance(data, mmap.mmap):
        page = mmap.PAGESIZE
        first = begin // page * page
        data.madvise(mmap.MADV_DONTNEED, first, end // page * page - first or page)


def native_frames(data: Buffer, element: Element, frame_bits: int) -> NativeFrames:
    """Frames of pixel data that is not encapsulated."""
    there = len(data) - element.offset
    return NativeFrames(data, element.offset, min(element.length, there), frame_bits)


def encapsulated_frames(data: Buffer, element: Element, header: Header, frames: int) -> EncapsulatedFrames:
    """Frames of encapsulated pixel data, by the extended offset table, the basic one, or the fragments themselves.

    Raises
    ------
    ConversionError
        Where the items are damaged before the first fragment.

    References
    ----------
    PS3.5 A.4; PS3.3 C.7.6.3.1.8
    """
    spans = _item_spans(data, element)
    if not spans:
        raise ConversionError("the encapsulated pixel data holds no item", tag=PIXEL_DATA)
    fragments = spans[1:]
    extended = _table(header.raw(EXTENDED_OFFSET_TABLE), "Q")
    lengths = _table(header.raw(EXTENDED_OFFSET_TABLE_LENGTHS), "Q")
    basic = _table(data[spans[0][0] : spans[0][1]], "L")
    for offsets in (extended, basic):
        first = _first_by_offsets(fragments, offsets)
        if len(first) == frames:
            return EncapsulatedFrames(data, fragments, first, lengths if offsets is extended else ())
    return EncapsulatedFrames(data, fragments, _first_by_content(data, fragments, frames))


def _item_spans(data: Buffer, element: Element) -> list[Span]:
    """Start and end of each item; a last one that was cut off ends where the data does."""
    spans: list[Span] = []
    position = kept_from = element.offset
    while position + 8 <= len(data):
        tag, length = el.item_at(data, position, element.encoding)
        if tag != el.ITEM:
            break
        start = position + 8
        spans.append((start, min(start + length, len(data))))
        position = start + length
        if position - kept_from > _LOOKED_THROUGH_BYTES:
            release(data, kept_from, min(position, len(data)))
            kept_from = position
    return spans


def _table(raw: bytes, code: str) -> tuple[int, ...]:
    return struct.unpack(f"<{len(raw) // struct.calcsize('=' + code)}{code}",
                         raw[: len(raw) - len(raw) % struct.calcsize("=" + code)])  # fmt: skip


def _first_by_offsets(fragments: Sequence[Span], offsets: tuple[int, ...]) -> list[int]:
    """Index of the fragment at each offset; none where an offset points beside the fragments."""
    if not fragments or not offsets:
        return []
    starts = [start - 8 - (fragments[0][0] - 8) for start, _ in fragments]
    first = [bisect_left(starts, offset) for offset in offsets]
    right = all(i < len(starts) and starts[i] == offset for i, offset in zip(first, offsets, strict=True))
    rising = all(a < b for a, b in itertools.pairwise(first))
    return first if right and rising and first[0] == 0 else []


def _first_by_content(data: Buffer, fragments: Sequence[Span], frames: int) -> list[int]:
    """Index of each frame's first fragment where no table tells: all in one, by the start of a stream, or one each."""
    if frames == 1:
        return [0] if fragments else []
    starts = [i for i, (start, _) in enumerate(fragments) if bytes(data[start : start + 12]).startswith(_STARTS)]
    return starts if starts and len(fragments) != frames else list(range(len(fragments)))
