"""Animated PNG, made frame by frame."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

from converter.picture.png import END, SIGNATURE, Chunk, compressed, ihdr

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from converter.arrays import Array


def write_apng(
    file: BinaryIO, frames: Iterable[Array], times_ms: Sequence[float], chunks: Iterable[Chunk], *, small: bool = False
) -> None:
    """Write an animated PNG; it holds one frame in memory at a time.

    Parameters
    ----------
    frames : iterable of ndarray
        All of one shape and dtype.
    times_ms : sequence of float
        How long each frame is shown.

    References
    ----------
    PNG Third Edition 11.3.6: acTL, fcTL, fdAT
    """
    sequence = 0
    for number, (pixels, time_ms) in enumerate(zip(frames, times_ms, strict=True)):
        if number == 0:
            _begin(file, pixels, len(times_ms), chunks)
        file.write(Chunk(b"fcTL", _frame_control(sequence, pixels, time_ms)).encoded())
        data = compressed(pixels, small=small)
        if number == 0:
            file.write(Chunk(b"IDAT", data).encoded())
            sequence += 1
        else:
            file.write(Chunk(b"fdAT", struct.pack(">I", sequence + 1) + data).encoded())
            sequence += 2
    file.write(END)


def _begin(file: BinaryIO, pixels: Array, count: int, chunks: Iterable[Chunk]) -> None:
    file.write(SIGNATURE + Chunk(b"IHDR", ihdr(pixels)).encoded())
    file.writelines(chunk.encoded() for chunk in chunks)
    file.write(Chunk(b"acTL", struct.pack(">II", count, 0)).encoded())


def _frame_control(sequence: int, pixels: Array, time_ms: float) -> bytes:
    rows, columns = pixels.shape[:2]
    delay = max(1, min(65535, round(time_ms)))
    return struct.pack(">IIIIIHHBB", sequence, columns, rows, 0, 0, delay, 1000, 0, 0)
