"""Codestream in, samples out: the decoder for each compressed transfer syntax.

Choices are by measurement (docs/decisions/0102): imagecodecs has the fastest kept decoder for each of them. It is
imported when the first frame needs it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from converter.dicom import tags
from converter.errors import ConversionError, TooLarge
from converter.pixels import jpeg, jpeg_xl
from converter.pixels.depth import check_cells
from converter.pixels.format import PixelFormat

if TYPE_CHECKING:
    from converter.arrays import Array


class Decoded(NamedTuple):
    """A decoded frame, `(rows, columns[, samples])`, and the colour space it is in now."""

    samples: Array
    photometric: str


Codec = Callable[[bytes, PixelFormat], Decoded]


def decode(codec: str, stream: bytes, pixels: PixelFormat) -> Decoded:
    """Decode one frame.

    Parameters
    ----------
    codec : str
        Key of `CODECS`.
    stream : bytes
        The codestream, fragments put together.
    pixels : PixelFormat
        What the header says; the result has its rows, columns and samples.

    Raises
    ------
    ConversionError
        Where the stream is damaged, or holds another picture than the header says.
    """
    try:
        decoded = CODECS[codec](stream, pixels)
    except ConversionError:
        raise
    except Exception as error:
        raise ConversionError(f"the {codec} data cannot be decoded ({error or type(error).__name__})",
                              tag=tags.PIXEL_DATA) from error  # fmt: skip
    return decoded._replace(samples=_as_stated(decoded.samples, pixels))


def _as_stated(samples: Array, pixels: PixelFormat) -> Array:
    check_cells(samples, pixels)
    if samples.shape == pixels.shape:
        return samples
    if samples.ndim == 3 and samples.shape[:2] == pixels.shape[:2] and samples.shape[2] > pixels.samples:
        return samples[:, :, : pixels.samples].reshape(pixels.shape)  # an alpha channel
    raise ConversionError(
        f"the header says {_size(pixels.shape)}, the compressed picture is {_size(samples.shape)}", tag=tags.ROWS
    )


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _jpeg(stream: bytes, pixels: PixelFormat) -> Decoded:
    """JPEG baseline, extended and lossless; libjpeg turns YCbCr to RGB where the stream is YCbCr."""
    from imagecodecs import jpeg8_decode

    _check_size(jpeg.size(stream), pixels)
    if pixels.samples == 1:
        return Decoded(jpeg8_decode(stream), pixels.photometric)
    space = "YCBCR" if jpeg.is_ycbcr(stream, pixels.photometric) else "RGB"
    return Decoded(jpeg8_decode(stream, colorspace=space, outcolorspace="RGB"), "RGB")


def _jpeg_ls(stream: bytes, pixels: PixelFormat) -> Decoded:
    from imagecodecs import jpegls_decode

    _check_size(jpeg.size(stream), pixels)
    return Decoded(jpegls_decode(stream), pixels.photometric)


def _jpeg_2000(stream: bytes, pixels: PixelFormat) -> Decoded:
    """JPEG 2000; OpenJPEG undoes the colour transform of the codestream (PS3.5 8.2.4)."""
    from imagecodecs import jpeg2k_decode

    _check_size(jpeg.size_of_jpeg2000(stream), pixels)
    return Decoded(_words(jpeg2k_decode(stream, numthreads=1), pixels), _without_transform(pixels.photometric))


def _htj2k(stream: bytes, pixels: PixelFormat) -> Decoded:
    from imagecodecs import htj2k_decode

    _check_size(jpeg.size_of_jpeg2000(stream), pixels)
    return Decoded(_words(htj2k_decode(stream), pixels), _without_transform(pixels.photometric))


def _jpeg_xl(stream: bytes, pixels: PixelFormat) -> Decoded:
    from imagecodecs import jpegxl_decode

    _check_size(jpeg_xl.size(stream), pixels)
    return Decoded(jpegxl_decode(stream, numthreads=1), "RGB" if pixels.samples == 3 else pixels.photometric)


def _rle(stream: bytes, pixels: PixelFormat) -> Decoded:
    """RLE: planes of bytes, most significant first (PS3.5 annex G); planar whatever the header says."""
    from imagecodecs import dicomrle_decode

    cell = np.dtype(f"<u{max(1, pixels.bits_allocated // 8)}")
    _check_segments(stream, pixels.samples * cell.itemsize)
    flat = np.frombuffer(dicomrle_decode(stream, cell), cell)
    planes = flat[: pixels.samples * pixels.rows * pixels.columns].reshape(pixels.samples, pixels.rows, pixels.columns)
    return Decoded(planes[0] if pixels.samples == 1 else np.moveaxis(planes, 0, 2), pixels.photometric)


def _check_segments(stream: bytes, count: int) -> None:
    """Refuse a header that points beside the stream, at which the decoder would read what is not its own.

    References
    ----------
    PS3.5 G.5
    """
    found, *offsets = struct.unpack_from("<16L", stream.ljust(64, b"\0"))
    used = offsets[:found] if found <= 15 else []
    rising = all(before < after for before, after in pairwise([63, *used, len(stream)]))
    if found != count or not rising:
        raise ConversionError(f"the RLE header names {found} segments, {count} are needed", tag=tags.PIXEL_DATA)


def _deflate(stream: bytes, pixels: PixelFormat) -> Decoded:
    """Deflated image frame: the native frame, deflated (PS3.5 A.4.13)."""
    size = -(-pixels.frame_bits // 8)
    plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream, size + 1)
    return _encapsulated(plain, pixels)


def _encapsulated(stream: bytes, pixels: PixelFormat) -> Decoded:
    from converter.pixels.native import native_samples

    if len(stream) * 8 < pixels.frame_bits:
        raise ConversionError(f"the frame has {len(stream)} bytes of {-(-pixels.frame_bits // 8)}", tag=tags.PIXEL_DATA)
    return Decoded(native_samples(stream, pixels), pixels.photometric)


def _check_size(found: tuple[int, int] | None, pixels: PixelFormat) -> None:
    """Refuse a stream of another size before memory for it is taken."""
    if found and found != (pixels.rows, pixels.columns):
        message = f"the header says {_size(pixels.shape[:2])}, the compressed picture is {_size(found)}"
        raise (TooLarge if found[0] * found[1] > 1 << 28 else ConversionError)(message, tag=tags.ROWS)


def _words(samples: Array, pixels: PixelFormat) -> Array:
    """Array as cells no narrower than the header's; a sign that contradicts the header is kept in the bits."""
    cell = max(samples.dtype.itemsize, pixels.bits_allocated // 8)
    return samples.astype(f"{samples.dtype.kind}{cell}", copy=False).view(f"u{cell}")


def _without_transform(photometric: str) -> str:
    return "RGB" if photometric in ("YBR_RCT", "YBR_ICT") else photometric


#: Codecs that pack cells as they lie: what is in their bits that are not stored is no part of the picture.
CELLS = frozenset({"rle", "deflate", "encapsulated"})

CODECS: dict[str, Codec] = {
    "jpeg": _jpeg,
    "jpeg-ls": _jpeg_ls,
    "jpeg-2000": _jpeg_2000,
    "htj2k": _htj2k,
    "jpeg-xl": _jpeg_xl,
    "rle": _rle,
    "deflate": _deflate,
    "encapsulated": _encapsulated,
}
