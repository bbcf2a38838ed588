"""A contact sheet: all frames of an object, small, on one picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from converter.arrays import Array

# A sheet that an old PC shows at once, and cells that still show an organ.
_SHEET_PIXELS = 4096
_CELL_PIXELS = 256
_GAP_PIXELS = 2


def sheet(frames: Iterable[Array], count: int) -> Array:
    """The frames side by side, as near to a square as it goes, in reading order.

    Parameters
    ----------
    frames : iterable of ndarray, shape (rows, columns[, 3])
        uint8; one is held at a time.
    count : int
        How many there are.

    Returns
    -------
    ndarray of uint8
        At most about 4096 pixels on a side.
    """
    across = math.ceil(math.sqrt(count))
    cell = max(8, min(_CELL_PIXELS, _SHEET_PIXELS // across - _GAP_PIXELS))
    page: Array | None = None
    for number, pixels in enumerate(frames):
        small = shrunk(pixels, cell)
        if page is None:
            page = _page(small, across, math.ceil(count / across))
        row, column = divmod(number, across)
        top, left = row * (small.shape[0] + _GAP_PIXELS), column * (small.shape[1] + _GAP_PIXELS)
        page[top : top + small.shape[0], left : left + small.shape[1]] = small
    return np.zeros((1, 1), np.uint8) if page is None else page


def _page(cell: Array, across: int, down: int) -> Array:
    rows = down * (cell.shape[0] + _GAP_PIXELS) - _GAP_PIXELS
    columns = across * (cell.shape[1] + _GAP_PIXELS) - _GAP_PIXELS
    return np.zeros((rows, columns, *cell.shape[2:]), np.uint8)


def shrunk(pixels: Array, longest: int) -> Array:
    """The picture with its longer side at most so long, each pixel the mean of those it stands for."""
    factor = math.ceil(max(pixels.shape[:2]) / longest)
    if factor == 1:
        return pixels
    rows, columns = (max(1, size // factor) for size in pixels.shape[:2])
    whole = pixels[: rows * factor, : columns * factor]
    if whole.shape[0] < factor or whole.shape[1] < factor:
        return pixels[::factor, ::factor]
    blocks = whole.reshape(rows, factor, columns, factor, *pixels.shape[2:])
    return np.asarray(blocks.mean(axis=(1, 3)) + 0.5).astype(np.uint8)
