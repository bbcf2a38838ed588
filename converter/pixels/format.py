"""How the pixels of an object are laid out: the Image Pixel module, checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from converter.dicom import tags
from converter.errors import ConversionError, TooLarge
from converter.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from converter.dicom.header import Header
    from converter.dicom.tags import Tag

MONOCHROME = frozenset({"MONOCHROME1", "MONOCHROME2"})
_SAMPLES = {
    "MONOCHROME1": 1,
    "MONOCHROME2": 1,
    "PALETTE COLOR": 1,
    "RGB": 3,
    "YBR_FULL": 3,
    "YBR_FULL_422": 3,
    "YBR_PARTIAL_422": 3,
    "YBR_ICT": 3,
    "YBR_RCT": 3,
    "XYB": 3,
}
_ELEMENTS = (
    tags.SAMPLES_PER_PIXEL,
    tags.PHOTOMETRIC_INTERPRETATION,
    tags.PLANAR_CONFIGURATION,
    tags.NUMBER_OF_FRAMES,
    tags.ROWS,
    tags.COLUMNS,
    tags.BITS_ALLOCATED,
    tags.BITS_STORED,
    tags.HIGH_BIT,
    tags.PIXEL_REPRESENTATION,
)
_FLOAT_BITS: dict[int, int] = {tags.FLOAT_PIXEL_DATA: 32, tags.DOUBLE_PIXEL_DATA: 64}


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """The Image Pixel module of one object.

    Attributes
    ----------
    bits_allocated, bits_stored, high_bit : int
        Size of the cell, of the sample in it, and the sample's highest bit in it.
    signed : bool
        Two's complement samples.
    photometric : str
        (0028,0004) Photometric Interpretation of the pixels as they are now, also after decoding.
    real : bool
        Float or double float pixel data.

    References
    ----------
    PS3.3 C.7.6.3, C.7.6.24, C.7.6.25; PS3.5 8.1
    """

    rows: int
    columns: int
    frames: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    planar: bool
    photometric: str
    real: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a decoded frame: `(rows, columns)` or `(rows, columns, samples)`."""
        return (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)

    @property
    def frame_bits(self) -> int:
        """Bits of one native frame; YBR 4:2:2 keeps half of the chrominance samples (PS3.3 C.7.6.3.1.2)."""
        if self.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422"):
            return self.rows * self.columns * 2 * self.bits_allocated
        return self.rows * self.columns * self.samples * self.bits_allocated

    @property
    def gray(self) -> bool:
        """Whether the grayscale chain applies."""
        return self.photometric in MONOCHROME

    @property
    def lowest(self) -> int:
        """The lowest stored value that the bits can hold."""
        return -(1 << (self.bits_stored - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """The highest stored value that the bits can hold."""
        return (1 << (self.bits_stored - (1 if self.signed else 0))) - 1

    def as_decoded(self, photometric: str, bits: int | None = None) -> PixelFormat:
        """The format of pixels that a codec gave out: interleaved, perhaps in other colours or narrower cells."""
        bits = bits or self.bits_allocated
        if photometric == self.photometric and bits == self.bits_allocated and not self.planar:
            return self
        stored, high_bit = min(self.bits_stored, bits), min(self.high_bit, bits - 1)
        return replace(
            self, photometric=photometric, planar=False, bits_allocated=bits, bits_stored=stored, high_bit=high_bit
        )


def pixel_format(header: Header, pixel_tag: int) -> PixelFormat:
    """The checked Image Pixel module.

    Parameters
    ----------
    header : Header
        The dataset.
    pixel_tag : int
        Which pixel data element the dataset has: (7FE0,0008), (7FE0,0009) or (7FE0,0010).

    Raises
    ------
    ConversionError
        Naming the element that is missing or makes no sense.
    TooLarge
        Where the frame is larger than `LIMITS`.
    """
    return header.derived(_ELEMENTS, _READERS[pixel_tag])


def _pixel_format(header: Header, pixel_tag: int) -> PixelFormat:
    real = pixel_tag != tags.PIXEL_DATA
    allocated = _FLOAT_BITS[pixel_tag] if real else _required(header, tags.BITS_ALLOCATED)
    stored = allocated if real else _required(header, tags.BITS_STORED, allocated)
    samples = _required(header, tags.SAMPLES_PER_PIXEL, 1)
    found = PixelFormat(
        rows=_required(header, tags.ROWS),
        columns=_required(header, tags.COLUMNS),
        frames=_frames(header),
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=stored - 1 if real else _required(header, tags.HIGH_BIT, stored - 1),
        signed=header.integer(tags.PIXEL_REPRESENTATION) == 1,
        planar=header.integer(tags.PLANAR_CONFIGURATION) == 1 and samples > 1,
        photometric=_photometric(header, samples),
        real=real,
    )
    _check(found)
    return found


_READERS: dict[int, Callable[[Header], PixelFormat]] = {
    tag: partial(_pixel_format, pixel_tag=tag) for tag in (tags.PIXEL_DATA, *_FLOAT_BITS)
}


def _required(header: Header, tag: Tag, default: int | None = None) -> int:
    value = header.integer(tag)
    if value is None:
        value = default
    if value is None:
        raise ConversionError(f"{tag.keyword} is missing; without it the pixels cannot be read", tag=tag)
    return value


def _frames(header: Header) -> int:
    """(0028,0008) Number of Frames; writers leave it empty or 0 for a single one."""
    frames = header.integer(tags.NUMBER_OF_FRAMES) or 1
    if frames < 1:
        raise ConversionError(f"there cannot be {frames} frames", tag=tags.NUMBER_OF_FRAMES)
    if frames > LIMITS.frames:
        raise TooLarge(f"{frames} frames are more than the {LIMITS.frames} allowed", tag=tags.NUMBER_OF_FRAMES)
    return frames


def _photometric(header: Header, samples: int) -> str:
    """(0028,0004) Photometric Interpretation; its default is what the samples suggest."""
    name = header.text(tags.PHOTOMETRIC_INTERPRETATION)
    if name not in _SAMPLES:
        name = "_".join(name.upper().replace("_", " ").split()).replace("PALETTE_COLOR", "PALETTE COLOR")
    return name or ("RGB" if samples == 3 else "MONOCHROME2")


def _check(found: PixelFormat) -> None:
    for wrong, tag, reason in _faults(found):
        if wrong:
            raise ConversionError(reason.format(found), tag=tag)
    if found.rows * found.columns * found.samples > LIMITS.frame_pixels:
        reason = "{0.rows} x {0.columns} x {0.samples} samples are more than "
        raise TooLarge(reason.format(found) + str(LIMITS.frame_pixels), tag=tags.ROWS)


def _faults(f: PixelFormat) -> tuple[tuple[bool, Tag, str], ...]:
    """What may be wrong, the element to blame, and the reason; words are made of it only where it is."""
    expected = _SAMPLES.get(f.photometric, 0)
    cells = (32, 64) if f.real else (1, 8, 16, 32)
    high_bits = range(f.bits_stored - 1, f.bits_allocated)
    return (
        (f.rows < 1, tags.ROWS, "the picture has no rows"),
        (f.columns < 1, tags.COLUMNS, "the picture has no columns"),
        (expected == 0, tags.PHOTOMETRIC_INTERPRETATION, "{0.photometric!r} is not a way to show pixels"),
        (f.samples != expected, tags.SAMPLES_PER_PIXEL, "{0.photometric} cannot have {0.samples} samples a pixel"),
        (f.bits_allocated not in cells, tags.BITS_ALLOCATED, "cells of {0.bits_allocated} bits are not readable"),
        (not 1 <= f.bits_stored <= f.bits_allocated, tags.BITS_STORED, "{0.bits_stored} of {0.bits_allocated} bits"),
        (
            f.high_bit not in high_bits,
            tags.HIGH_BIT,
            "{0.bits_stored} bits cannot end at bit {0.high_bit} of {0.bits_allocated}",
        ),
    )
