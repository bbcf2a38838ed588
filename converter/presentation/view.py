"""What part of an image a presentation state shows, and how it is turned (PS3.3 C.10.4, C.10.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from converter.dicom import tags
from converter.errors import ConversionError, TooLarge
from converter.picture.pixel_size import PixelSize, aspect, spacing

if TYPE_CHECKING:
    from converter.arrays import Array
    from converter.dicom.header import Header

Point = tuple[float, float]

# A displayed area reaches beyond the image where a display is wider than it; 16 times the image is no such area.
_BEYOND_THE_IMAGE = 16
_SMALL_PIXELS = 1 << 22


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle of the image, turned clockwise and then flipped.

    Attributes
    ----------
    left, top, right, bottom : int
        Columns and rows of the image, counted from 1, both ends shown; they may lie outside of it.
    quarter_turns : int
        0 to 3, clockwise.
    flipped : bool
        Whether left and right change places after that.
    size : PixelSize or None
        What the state says of the pixels' size, before they are turned.
    """

    left: int
    top: int
    right: int
    bottom: int
    quarter_turns: int = 0
    flipped: bool = False
    size: PixelSize | None = None

    @property
    def turned(self) -> bool:
        """Whether rows and columns change places."""
        return self.quarter_turns % 2 == 1

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of what is shown."""
        rows, columns = self.bottom - self.top + 1, self.right - self.left + 1
        return (columns, rows) if self.turned else (rows, columns)

    def size_of(self, size: PixelSize | None) -> PixelSize | None:
        """The pixels' size in what is shown, `size` in the image; an aspect ratio that agrees does not unsay it."""
        known = self.size or size
        if self.size and size and not self.size.in_mm and self.size.agrees(size):
            known = size
        return known.turned() if known and self.turned else known

    def of(self, pixels: Array) -> Array:
        """What is shown of a picture; black where there is no image."""
        turned = np.rot90(self._cut(pixels), -self.quarter_turns)
        return turned[:, ::-1] if self.flipped else turned

    def _cut(self, pixels: Array) -> Array:
        rows, columns = pixels.shape[:2]
        if (self.left, self.top, self.right, self.bottom) == (1, 1, columns, rows):
            return pixels
        whole = np.zeros((self.bottom - self.top + 1, self.right - self.left + 1, *pixels.shape[2:]), pixels.dtype)
        part = pixels[max(self.top - 1, 0) : max(self.bottom, 0), max(self.left - 1, 0) : max(self.right, 0)]
        row, column = max(1 - self.top, 0), max(1 - self.left, 0)
        whole[row : row + part.shape[0], column : column + part.shape[1]] = part
        return whole

    def place(self, point: Point) -> Point:
        """Where a point of the image lies in what is shown: x and y from 0 at the top left pixel's outer corner."""
        x, y = point[0] - (self.left - 1), point[1] - (self.top - 1)
        width, height = self.right - self.left + 1, self.bottom - self.top + 1
        for _ in range(self.quarter_turns):
            x, y = height - y, x
            width, height = height, width
        return (width - x if self.flipped else x), y


def view(header: Header, area: Header | None, rows: int, columns: int) -> View:
    """The view of a presentation state.

    Parameters
    ----------
    header : Header
        The state.
    area : Header or None
        Its displayed area for an image; None shows the whole of it.
    rows, columns : int
        The image's size.

    Raises
    ------
    ConversionError
        Where corners are missing or the rotation is no quarter turn.
    TooLarge
        Where the area has many times the pixels of the image.

    References
    ----------
    PS3.3 C.10.4 Displayed Area, C.10.6 Spatial Transformation
    """
    rotation = header.integer(tags.IMAGE_ROTATION) or 0
    if rotation % 90:
        raise ConversionError(f"a rotation by {rotation} degrees is not allowed", tag=tags.IMAGE_ROTATION)
    return View(
        *(_corners(area, rows * columns) if area else (1, 1, columns, rows)),
        quarter_turns=rotation // 90 % 4,
        flipped=header.text(tags.IMAGE_HORIZONTAL_FLIP) == "Y",
        size=_size(area) if area else None,
    )


def _corners(area: Header, image_pixels: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom: the corners are those of the turned picture, as places in the image (C.10.4)."""
    first = area.numbers(tags.DISPLAYED_AREA_TOP_LEFT)
    last = area.numbers(tags.DISPLAYED_AREA_BOTTOM_RIGHT)
    if len(first) != 2 or len(last) != 2 or not all(abs(number) < 1 << 31 for number in (*first, *last)):
        raise ConversionError("the displayed area has no two corners", tag=tags.DISPLAYED_AREA_TOP_LEFT)
    (left, right), (top, bottom) = (sorted((int(a), int(b))) for a, b in zip(first, last, strict=True))
    if (right - left + 1) * (bottom - top + 1) > max(_BEYOND_THE_IMAGE * image_pixels, _SMALL_PIXELS):
        raise TooLarge("the displayed area is too large", tag=tags.DISPLAYED_AREA_BOTTOM_RIGHT)
    return left, top, right, bottom


def _size(area: Header) -> PixelSize | None:
    return spacing(area, tags.PRESENTATION_PIXEL_SPACING) or aspect(area, tags.PRESENTATION_PIXEL_ASPECT_RATIO)
