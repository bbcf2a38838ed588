"""Display shutters: what of a picture is covered (PS3.3 C.7.6.11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from converter.dicom import tags
from converter.errors import ConversionError

if TYPE_CHECKING:
    from converter.arrays import Array
    from converter.dicom.header import Header


@dataclass(frozen=True, slots=True)
class Shutter:
    """A shutter: what lies outside of every shape is covered.

    Attributes
    ----------
    rectangle : (upper, lower, left, right) or None
        Edges, counted from 1; they are covered themselves.
    circle : (row, column, radius) or None
    polygon : tuple of (row, column)
    value : int
        (0018,1622) Shutter Presentation Value, a 16-bit P-value.
    """

    rectangle: tuple[int, int, int, int] | None = None
    circle: tuple[int, int, int] | None = None
    polygon: tuple[tuple[int, int], ...] = ()
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
        return covered

    def drawn(self, pixels: Array) -> Array:
        """The picture with what is covered at the shutter's value."""
        result = pixels.copy()
        top = int(np.iinfo(pixels.dtype).max)
        result[self.covers(*pixels.shape[:2])] = (self.value * top + 32767) // 65535
        return result


def shutter(header: Header) -> Shutter | None:
    """The Display Shutter module, or None.

    Raises
    ------
    ConversionError
        Where a shape lacks its numbers.

    References
    ----------
    PS3.3 C.7.6.11
    """
    shapes = header.texts(tags.SHUTTER_SHAPE)
    if not set(shapes) & {"RECTANGULAR", "CIRCULAR", "POLYGONAL"}:
        return None
    edges = (tags.SHUTTER_UPPER, tags.SHUTTER_LOWER, tags.SHUTTER_LEFT, tags.SHUTTER_RIGHT)
    rectangle = [header.integer(edge) for edge in edges]
    circle = [*map(int, header.numbers(tags.SHUTTER_CENTER)), header.integer(tags.SHUTTER_RADIUS)]
    flat = [int(value) for value in header.numbers(tags.SHUTTER_VERTICES)]
    return Shutter(
        rectangle=_whole(rectangle, 4) if "RECTANGULAR" in shapes else None,  # type: ignore[arg-type]  # the length is checked
        circle=_whole(circle, 3) if "CIRCULAR" in shapes else None,  # type: ignore[arg-type]  # the length is checked
        polygon=tuple(zip(flat[::2], flat[1::2], strict=False)) if "POLYGONAL" in shapes else (),
        value=header.integer(tags.SHUTTER_PRESENTATION_VALUE) or 0,
    )


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
