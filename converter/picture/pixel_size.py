"""How large a pixel is, and pictures whose pixels are made square."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from converter.dicom import tags
from converter.dicom.groups import candidates
from converter.errors import TooLarge
from converter.limits import LIMITS

if TYPE_CHECKING:
    from converter.arrays import Array
    from converter.dicom.header import Header

# Pixels that are more than so many times as high as wide come of a header that is wrong.
_LARGEST_RATIO = 16


class PixelSize(NamedTuple):
    """Height and width of a pixel: in millimetres, or only as a ratio."""

    height: float
    width: float
    in_mm: bool

    @property
    def square(self) -> bool:
        """Whether both are the same, to one in a thousand."""
        return abs(self.height - self.width) < 1e-3 * self.width

    def agrees(self, other: PixelSize) -> bool:
        """Whether both have the same shape, to one in a hundred."""
        return abs(self.height * other.width - self.width * other.height) <= 0.01 * self.width * other.height

    def turned(self) -> PixelSize:
        """The size in a picture that is turned by a quarter."""
        return PixelSize(self.width, self.height, self.in_mm)

    def squared(self) -> PixelSize:
        """The size once the longer side is stretched away."""
        side = min(self.height, self.width)
        return PixelSize(side, side, self.in_mm)


def pixel_size(header: Header, frame: int) -> PixelSize | None:
    """The size of a frame's pixels by their spacing, else by their aspect ratio; None where nothing tells.

    References
    ----------
    PS3.3 C.7.6.16.2.1 Pixel Measures, C.7.6.2 Image Plane, 10.7.1.3 for the order; C.8.11.4 for Imager Pixel Spacing;
    C.7.6.3.1.7 Pixel Aspect Ratio
    """
    for _, item in candidates(header, tags.PIXEL_MEASURES, frame):
        if found := spacing(item, tags.PIXEL_SPACING):
            return found
    return (
        spacing(header, tags.IMAGER_PIXEL_SPACING)
        or spacing(header, tags.NOMINAL_SCANNED_PIXEL_SPACING)
        or aspect(header, tags.PIXEL_ASPECT_RATIO)
    )


def spacing(header: Header, tag: tags.Tag) -> PixelSize | None:
    """A spacing in millimetres, first between rows, or None where it is none that can be."""
    values = header.numbers(tag)
    usable = len(values) >= 2 and all(1e-6 < value < 1e6 for value in values[:2])
    return PixelSize(values[0], values[1], in_mm=True) if usable else None


def aspect(header: Header, tag: tags.Tag) -> PixelSize | None:
    """A pixel's height to its width, or None where it is none that can be."""
    values = header.numbers(tag)
    usable = len(values) == 2 and all(1 <= value < 1 << 31 for value in values)
    return PixelSize(values[0], values[1], in_mm=False) if usable else None


def squared(pixels: Array, size: PixelSize) -> Array:
    """The picture with square pixels: the side that they are longer on is stretched, linearly between pixels.

    Raises
    ------
    TooLarge
        Where pixels are so long that the picture would grow beyond use.
    """
    if size.square:
        return pixels
    axis, factor = (0, size.height / size.width) if size.height > size.width else (1, size.width / size.height)
    if factor > _LARGEST_RATIO or pixels.size * factor > LIMITS.frame_pixels:
        raise TooLarge(f"pixels {factor:g} times as long as wide cannot be made square", tag=tags.PIXEL_SPACING)
    count = pixels.shape[axis]
    places = (np.arange(round(count * factor)) + 0.5) / factor - 0.5
    lower = np.clip(np.floor(places).astype(np.int64), 0, count - 1)
    upper = np.minimum(lower + 1, count - 1)
    share = np.clip(places - lower, 0, 1).reshape([-1 if i == axis else 1 for i in range(pixels.ndim)])
    mixed: Array = pixels.take(lower, axis) * (1 - share) + pixels.take(upper, axis) * share
    return np.asarray(np.floor(mixed + 0.5), pixels.dtype)
