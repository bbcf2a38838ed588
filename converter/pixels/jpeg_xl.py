"""What a JPEG XL stream says of its size, before anything is decoded."""

from __future__ import annotations

import struct

_CODESTREAM = b"\xff\x0a"
_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
# Width to height by the three bits of the ratio; 0 gives the width by itself (ISO/IEC 18181-1, SizeHeader).
_RATIOS = (None, (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_WIDTHS_OF_BITS = (9, 13, 18, 30)


def size(stream: bytes) -> tuple[int, int] | None:
    """Rows and columns, or None where the stream has no beginning that could be read.

    References
    ----------
    ISO/IEC 18181-1 SizeHeader, 18181-2 for the boxes
    """
    codestream = _unboxed(stream) if stream.startswith(_CONTAINER) else stream
    if not codestream.startswith(_CODESTREAM) or len(codestream) < 12:
        return None
    bits = _Bits(int.from_bytes(codestream[2:12], "little"))
    small = bits.take(1)
    rows = _small(bits) if small else _large(bits)
    ratio = _RATIOS[bits.take(3)]
    if ratio:
        return rows, rows * ratio[0] // ratio[1]
    return rows, _small(bits) if small else _large(bits)


class _Bits:
    """Bits of a number, the lowest first."""

    def __init__(self, value: int) -> None:
        self.value = value

    def take(self, count: int) -> int:
        taken = self.value & ((1 << count) - 1)
        self.value >>= count
        return taken


def _small(bits: _Bits) -> int:
    return (bits.take(5) + 1) * 8


def _large(bits: _Bits) -> int:
    return bits.take(_WIDTHS_OF_BITS[bits.take(2)]) + 1


def _unboxed(stream: bytes) -> bytes:
    """The beginning of the codestream in a container: the content of its first jxlc or jxlp box."""
    position = 0
    while position + 16 <= len(stream):
        length, kind = struct.unpack_from(">L4s", stream, position)
        start = position + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", stream, start)
            start += 8
        if kind in (b"jxlc", b"jxlp"):
            return stream[start + (4 if kind == b"jxlp" else 0) :][:64]
        if length < 8:
            break
        position += length
    return b""
