"""Animated WebP: frames that Pillow encodes one by one, in a container that grows with each."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from converter.errors import TooLarge
from converter.limits import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from converter.arrays import Array

_ANIMATED = 0x02
_DO_NOT_BLEND = 0x02
_LONGEST_SIDE = 16383  # of a VP8 and a VP8L frame
_LARGEST_BYTES = (1 << 32) - 10
# Lossless in the time that a cine needs; the effort that libwebp takes by itself is for the smallest file.
_QUALITY: dict[bool, dict[str, Any]] = {False: {"lossless": True, "quality": 20, "method": 0}, True: {"quality": 80}}


def write_webp(file: BinaryIO, frames: Iterable[Array], times_ms: Sequence[float], *, small: bool = False) -> None:
    """Write an animated WebP, lossless unless `small`; it holds one frame in memory at a time.

    Parameters
    ----------
    file : binary file
        Must be able to seek: its size, which stands first, is known last.
    frames : iterable of ndarray, shape (rows, columns[, 3])
        uint8, all of one shape.
    times_ms : sequence of float
        How long each frame is shown.

    Raises
    ------
    TooLarge
        Where a frame is longer than WebP allows, or all of them are more than 4 GiB.

    References
    ----------
    RFC 9649 (WebP Image Format), extended file format and animation
    """
    for number, (pixels, time_ms) in enumerate(zip(frames, times_ms, strict=True)):
        rows, columns = pixels.shape[:2]
        if number == 0:
            _begin(file, rows, columns)
        frame = struct.pack("<3x3x3s3s3sB", _24(columns - 1), _24(rows - 1), _24(max(1, round(time_ms))), _DO_NOT_BLEND)
        file.write(_chunk(b"ANMF", frame + _encoded(pixels, small=small)))
        if file.tell() > _LARGEST_BYTES:
            raise TooLarge(f"a WebP holds at most {_LARGEST_BYTES // MIB} MiB; choose fewer frames, or apng")
    size = file.tell() - 8
    file.seek(4)
    file.write(struct.pack("<L", size))


def _begin(file: BinaryIO, rows: int, columns: int) -> None:
    """The head of the file, its size still open: canvas, black background, shown again and again."""
    if max(rows, columns) > _LONGEST_SIDE:
        raise TooLarge(f"a WebP has at most {_LONGEST_SIDE} pixels on a side; choose apng")
    file.write(b"RIFF" + bytes(4) + b"WEBP")
    file.write(_chunk(b"VP8X", struct.pack("<B3x3s3s", _ANIMATED, _24(columns - 1), _24(rows - 1))))
    file.write(_chunk(b"ANIM", struct.pack("<4BH", 0, 0, 0, 255, 0)))


def _encoded(pixels: Array, *, small: bool) -> bytes:
    """The chunk of one picture, `VP8 ` or `VP8L`, without the RIFF header that a file of its own has."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB").save(out, "WEBP", **_QUALITY[small])
    return out.getvalue()[12:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<L", len(data)) + data + bytes(len(data) % 2)


def _24(number: int) -> bytes:
    return number.to_bytes(3, "little")
