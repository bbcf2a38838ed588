"""Array of a frame that is not compressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from converter.dicom import tags
from converter.errors import ConversionError
from converter.pixels.color import upsampled_422

if TYPE_CHECKING:
    from converter.arrays import Array
    from converter.pixels.format import PixelFormat


def native_samples(
    raw: bytes | memoryview, pixels: PixelFormat, first_bit: int = 0, *, big_endian: bool = False
) -> Array:
    """Samples as they lie in their cells, unmasked.

    Parameters
    ----------
    raw : bytes-like
        The bytes that hold the frame; see `unswapped` for 8-bit cells of big-endian files.
    pixels : PixelFormat
        How they are laid out.
    first_bit : int
        Bit of the first byte at which the frame starts; other than 0 only for 1-bit cells.
    big_endian : bool
        Byte order of the cells.

    Returns
    -------
    ndarray
        Shape `(rows, columns[, samples])`; unsigned cells of the allocated size, uint8 for 1 bit, or floats.

    Raises
    ------
    ConversionError
        Where two pixels share their chrominance and a row has an odd number of them.

    References
    ----------
    PS3.5 8.1, 8.2; PS3.3 C.7.6.3.1.3
    """
    if pixels.bits_allocated == 1:
        return _bits(raw, pixels, first_bit)
    kind = "f" if pixels.real else "u"
    cells = np.frombuffer(raw, f"{'>' if big_endian else '<'}{kind}{pixels.bits_allocated // 8}")
    if "422" in pixels.photometric:
        _check_even(pixels)
        return upsampled_422(cells[: pixels.frame_bits // pixels.bits_allocated], pixels.rows, pixels.columns)
    cells = cells[: pixels.rows * pixels.columns * pixels.samples]
    if pixels.planar:
        return np.moveaxis(cells.reshape(pixels.samples, pixels.rows, pixels.columns), 0, 2)
    return cells.reshape(pixels.shape)


def _check_even(pixels: PixelFormat) -> None:
    """Refuse rows whose last pixel has no partner: where its chrominance lies, no clause says (PS3.3 C.7.6.3.1.2)."""
    if pixels.columns % 2:
        reason = f"{pixels.photometric} that is not compressed needs an even number of columns, not {pixels.columns}"
        raise ConversionError(reason, tag=tags.COLUMNS)


def unswapped(data: bytes | memoryview, start: int, begin: int, end: int) -> bytes:
    """Bytes `begin` to `end` of 8-bit cells in 16-bit words, whose two bytes a big-endian file swaps (PS3.5 8.1.2).

    Parameters
    ----------
    start : int
        Where the first word lies; the last one may be cut off.
    """
    first, last = begin - (begin - start) % 2, end + (end - start) % 2
    words = np.frombuffer(bytes(data[first:last]).ljust(last - first, b"\0"), np.uint8).reshape(-1, 2)
    return words[:, ::-1].tobytes()[begin - first : end - first]


def _bits(raw: bytes | memoryview, pixels: PixelFormat, first_bit: int) -> Array:
    """1-bit samples, the lowest bit of a byte first (PS3.5 8.1.1)."""
    bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")
    return bits[first_bit : first_bit + pixels.frame_bits].reshape(pixels.shape)


def stored_values(samples: Array, pixels: PixelFormat) -> Array:
    """Stored values: the bits between high bit and the lowest stored one, sign extended.

    Overlays or garbage may lie in the other bits of a cell, and sign extension may be missing.

    Parameters
    ----------
    samples : ndarray of unsigned cells or floats
        As `native_samples` gives them.

    Returns
    -------
    ndarray
        int64 or uint64 free of overflow for 32 bits; floats as they are.

    References
    ----------
    PS3.5 8.1.1; PS3.3 C.7.6.3.1
    """
    if pixels.real:
        return samples
    shift = pixels.high_bit + 1 - pixels.bits_stored
    values = (samples.astype(np.int64) >> shift) & ((1 << pixels.bits_stored) - 1)
    if pixels.signed:
        sign = 1 << (pixels.bits_stored - 1)
        values = (values ^ sign) - sign
    return values
