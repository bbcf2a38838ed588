"""Display shutters: what of a picture is covered (PS3.3 C.7.6.11, C.7.6.15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from converter.dicom import tags
from converter.errors import ConversionError
from converter.pixels.overlays import masks, overlays

if TYPE_CHECKING:
    from converter.arrays import Array
    from converter.dicom.header import Header
    from converter.pixels.overlays import Overlay


@dataclass(frozen=True, slots=True)
class Shutter:
    """A shutter: what lies outside of every shape is covered.

    Attributes
    ----------
    rectangle : (upper, lower, left, right) or None
        Edges, counted from 1; they are covered themselves.
    circle : (row, column, radius) or None
    polygon : tuple of (row, column)
    bitmap : Overlay or None
        An overlay plane of the state, set where the picture is covered.
    value : int
        (0018,1622) Shutter Presentation Value, a 16-bit P-value.
    """

    rectangle: tuple[int, int, int, int] | None = None
    circle: tuple[int, int, int] | None = None
    polygon: tuple[tuple[int, int], ...] = ()
    bitmap: Overlay | None = None
    value: int = 0

    def covers(self, rows: int, columns: int) -> Array:
        """Where the shutter covers a picture of this size."""
        row, column = np.ogrid[1 : rows + 1, 1 : columns + 1]
        covered = np.zeros((rows, columns), bool)
        if self.rectangle:
            upper, lower, left, right = self.rectangle
            covered |= (row <= upper) | (row >= lower) | (column <= left) | (column >= right)
        if self.circle:
            middle_row, middle_column, radius = self.circle
            covered |= (row - middle_row) ** 2 + (column - middle_column) ** 2 > radius**2
        if self.polygon:
            covered |= ~_inside(self.polygon, row, column)
        if self.bitmap:
            for mask in masks([self.bitmap], 1, covered):
                covered |= mask
        return covered

    def drawn(self, pixels: Array) -> Array:
        """The picture with what is covered at the shutter's value."""
        result = pixels.copy()
        top = int(np.iinfo(pixels.dtype).max)
        result[self.covers(*pixels.shape[:2])] = (min(self.value, 65535) * top + 32767) // 65535
        return result


def shutter(header: Header) -> Shutter | None:
    """The Display Shutter module, or None.

    Raises
    ------
    ConversionError
        Where a shape lacks its numbers.

    References
    ----------
    PS3.3 C.7.6.11 Display Shutter, C.7.6.15 Bitmap Display Shutter
    """
    shapes = header.texts(tags.SHUTTER_SHAPE)
    if not set(shapes) & {"RECTANGULAR", "CIRCULAR", "POLYGONAL", "BITMAP"}:
        return None
    edges = (tags.SHUTTER_UPPER, tags.SHUTTER_LOWER, tags.SHUTTER_LEFT, tags.SHUTTER_RIGHT)
    rectangle = [header.integer(edge) for edge in edges]
    circle = [*map(int, header.numbers(tags.SHUTTER_CENTER)), header.integer(tags.SHUTTER_RADIUS)]
    flat = [int(value) for value in header.numbers(tags.SHUTTER_VERTICES)]
    return Shutter(
        rectangle=_whole(rectangle, 4) if "RECTANGULAR" in shapes else None,  # type: ignore[arg-type]  # the length is checked
        circle=_whole(circle, 3) if "CIRCULAR" in shapes else None,  # type: ignore[arg-type]  # the length is checked
        polygon=tuple(zip(flat[::2], flat[1::2], strict=False)) if "POLYGONAL" in shapes else (),
        bitmap=_bitmap(header) if "BITMAP" in shapes else None,
        value=_value(header),
    )


def _bitmap(header: Header) -> Overlay:
    group = header.integer(tags.SHUTTER_OVERLAY_GROUP)
    for plane in overlays(header, 0):
        if plane.group == group:
            return plane
    raise ConversionError("the shutter's overlay is missing", tag=tags.SHUTTER_OVERLAY_GROUP)


def _value(header: Header) -> int:
    """The gray of what is covered; of a colour its lightness, L* in 16 bits (PS3.3 C.10.7.1.1, PS3.4 N.2.2.1)."""
    value = header.integer(tags.SHUTTER_PRESENTATION_VALUE)
    lab = header.numbers(tags.SHUTTER_PRESENTATION_LAB)
    return value if value is not None else int(lab[0]) if lab else 0


def _whole(numbers: list[int | None], length: int) -> tuple[int, ...]:
    known = tuple(number for number in numbers if number is not None)
    if len(known) != length:
        raise ConversionError("the shutter's shape is not complete", tag=tags.SHUTTER_SHAPE)
    return known


def _inside(polygon: tuple[tuple[int, int], ...], row: Array, column: Array) -> Array:
    """Which pixels lie in a polygon, by how many of its edges a ray to the right crosses."""
    inside = np.zeros(np.broadcast_shapes(row.shape, column.shape), bool)
    for (row1, column1), (row2, column2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if row1 == row2:
            continue
        crossed = (row >= min(row1, row2)) & (row < max(row1, row2))
        inside ^= crossed & (column < column1 + (row - row1) * (column2 - column1) / (row2 - row1))
    return inside
