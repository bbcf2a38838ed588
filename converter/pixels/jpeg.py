"""What a JPEG codestream says of itself: size and colour space, read without decoding."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# ISO 10918-1 table B.1: start-of-frame markers, and SOF55 of JPEG-LS (ISO 14495-1).
_FRAME_STARTS = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7})
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_START_OF_SCAN = 0xDA


def segments(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment up to the first scan."""
    position = 2
    while position + 4 <= len(stream):
        if stream[position] != 0xFF:
            return
        marker = stream[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        (length,) = struct.unpack_from(">H", stream, position + 2)
        yield marker, stream[position + 4 : position + 2 + length]
        if marker == _START_OF_SCAN:
            return
        position += 2 + length


def size(stream: bytes) -> tuple[int, int] | None:
    """Rows and columns by the frame header, or None."""
    for marker, content in segments(stream):
        if marker in _FRAME_STARTS and len(content) >= 5:
            rows, columns = struct.unpack_from(">HH", content, 1)
            return (rows, columns) if rows else None
    return None


def is_ycbcr(stream: bytes, photometric: str) -> bool:
    """Whether a colour stream is YCbCr: what the stream says of itself goes before what the header says.

    The order is that of libjpeg: the Adobe segment's transform flag, a JFIF segment, the component identifiers; chroma
    that is subsampled can only be YCbCr. A lossless stream is never transformed. Only then the header decides.
    """
    adobe = jfif = frame = None
    lossless = False
    for marker, content in segments(stream):
        if marker == 0xEE and content[:5] == b"Adobe" and len(content) >= 12:
            adobe = content[11]
        elif marker == 0xE0 and content[:4] == b"JFIF":
            jfif = True
        elif marker in _FRAME_STARTS:
            frame, lossless = content, marker in _LOSSLESS
    stated = photometric.startswith("YBR")
    if lossless or frame is None:
        return stated
    if adobe is not None:
        return adobe == 1
    return bool(jfif) or (_by_components(frame, stated))


def _by_components(frame: bytes, stated: bool) -> bool:
    """By component identifiers and sampling factors of a frame header (ISO 10918-1 B.2.2)."""
    components = [frame[6 + 3 * i : 9 + 3 * i] for i in range(frame[5])] if len(frame) > 5 else []
    identifiers = bytes(component[0] for component in components if component)
    if identifiers == b"RGB":
        return False
    subsampled = len({component[1] for component in components if len(component) == 3}) > 1
    return subsampled or stated


def size_of_jpeg2000(stream: bytes) -> tuple[int, int] | None:
    """Rows and columns by the SIZ segment (ISO 15444-1 A.5.1), also inside a JP2 file; or None."""
    start = stream.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start < 0 or start + 24 > len(stream):
        return None
    x, y, x0, y0 = struct.unpack_from(">4L", stream, start + 8)
    return y - y0, x - x0
