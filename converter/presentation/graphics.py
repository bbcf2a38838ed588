"""Lines and words of a presentation state, drawn over a picture (PS3.3 C.10.5)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from converter.dicom import tags

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

    from converter.arrays import Array
    from converter.dicom.header import Header
    from converter.presentation.view import Point, View

# Letters that are read on a picture of this many rows without a magnifier.
_ROWS_A_LETTER = 50
_LETTER_PIXELS = (10, 100)


def annotated(pixels: Array, annotations: list[Header], view: View) -> Array:
    """The picture with graphic annotations of a presentation state, white on it.

    Parameters
    ----------
    pixels : ndarray, shape (rows, columns) or (rows, columns, 3)
        What is shown, turned already.
    annotations : list of Header
        Items of the Graphic Annotation Sequence.
    view : View
        Where places of the image lie in the picture.
    """
    if not annotations:
        return pixels
    from PIL import Image, ImageDraw

    mask = Image.new("1", (pixels.shape[1], pixels.shape[0]))
    draw = ImageDraw.Draw(mask)
    for annotation in annotations:
        for graphic in annotation.items(tags.GRAPHIC_OBJECTS):
            _draw_graphic(draw, graphic, view)
        for text in annotation.items(tags.TEXT_OBJECTS):
            _draw_text(draw, text, view)
    result = pixels.copy()
    result[np.asarray(mask)] = np.iinfo(pixels.dtype).max
    return result


def _draw_graphic(draw: ImageDraw, graphic: Header, view: View) -> None:
    points = _points(graphic.numbers(tags.GRAPHIC_DATA), graphic.text(tags.GRAPHIC_UNITS), view)
    kind = graphic.text(tags.GRAPHIC_TYPE)
    if kind == "POINT" and points:
        draw.ellipse([points[0][0] - 2, points[0][1] - 2, points[0][0] + 2, points[0][1] + 2], outline=1)
    elif kind in ("POLYLINE", "INTERPOLATED") and len(points) > 1:
        draw.line(_cells(points), fill=1)
    elif kind == "CIRCLE" and len(points) == 2:
        draw.line(_cells(_ellipse(points[0], *_axes_of_circle(*points))), fill=1)
    elif kind == "ELLIPSE" and len(points) == 4:
        draw.line(_cells(_ellipse(*_axes_of_ellipse(points))), fill=1)


def _draw_text(draw: ImageDraw, text: Header, view: View) -> None:
    """Text at the top left of its box, upright however the image is turned, or at its anchor (C.10.5.1.1)."""
    from PIL import ImageFont

    words = text.text(tags.UNFORMATTED_TEXT)
    box = text.numbers(tags.BOUNDING_BOX_TOP_LEFT) + text.numbers(tags.BOUNDING_BOX_BOTTOM_RIGHT)
    units = text.text(tags.BOUNDING_BOX_UNITS if box else tags.ANCHOR_POINT_UNITS)
    points = _points(box or text.numbers(tags.ANCHOR_POINT), units, view)
    if points and words:
        low, high = _LETTER_PIXELS
        font = ImageFont.load_default(max(low, min(high, view.shape[0] // _ROWS_A_LETTER)))
        draw.text((min(x for x, _ in points), min(y for _, y in points)), words[:1024], fill=1, font=font)


def _points(numbers: tuple[float, ...], units: str, view: View) -> list[Point]:
    """Points on the picture, 0 at the outer corner of the top left pixel (PS3.3 C.10.5, (0070,0005)).

    PIXEL units are the image's; DISPLAY units go from 0 to 1 over what is shown; those of a whole slide (MATRIX) are
    left out.
    """
    pairs = [(_near(x), _near(y)) for x, y in zip(numbers[::2], numbers[1::2], strict=False)][:10_000]
    if units == "DISPLAY":
        rows, columns = view.shape
        return [(_near(x * columns), _near(y * rows)) for x, y in pairs]
    return [] if units == "MATRIX" else [view.place(pair) for pair in pairs]


def _cells(points: list[Point]) -> list[tuple[int, int]]:
    """The pixels that points lie in."""
    return [(math.floor(x), math.floor(y)) for x, y in points]


def _near(place: float) -> float:
    """A place that drawing can take; what is far outside stays outside."""
    return max(-1e5, min(1e5, place)) if math.isfinite(place) else 0.0


def _axes_of_circle(middle: Point, edge: Point) -> tuple[Point, Point]:
    radius = math.dist(middle, edge)
    return (radius, 0.0), (0.0, radius)


def _axes_of_ellipse(points: list[Point]) -> tuple[Point, Point, Point]:
    """Middle and half axes of an ellipse given by the ends of its axes (PS3.3 C.10.5.1.2)."""
    (x1, y1), (x2, y2), (x3, y3), (x4, y4) = points
    return ((x1 + x2) / 2, (y1 + y2) / 2), ((x2 - x1) / 2, (y2 - y1) / 2), ((x4 - x3) / 2, (y4 - y3) / 2)


def _ellipse(middle: Point, first: Point, second: Point, steps: int = 180) -> list[Point]:
    angles = [2 * math.pi * step / steps for step in range(steps + 1)]
    return [
        (
            middle[0] + first[0] * math.cos(angle) + second[0] * math.sin(angle),
            middle[1] + first[1] * math.cos(angle) + second[1] * math.sin(angle),
        )
        for angle in angles
    ]
