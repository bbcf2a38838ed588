"""Overlay planes: one-bit pictures that lie over an image (PS3.3 C.9.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from converter.dicom.tags import Tag
from converter.errors import ConversionError
from converter.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from converter.arrays import Array
    from converter.dicom.header import Header

GROUPS = range(0x6000, 0x6020, 2)


@dataclass(frozen=True, slots=True)
class Overlay:
    """One overlay plane.

    Attributes
    ----------
    group : int
        0x6000 to 0x601E.
    rows, columns : int
        Its own size, which need not be the image's.
    row, column : int
        (60xx,0050) Overlay Origin: where its first pixel lies on the image, counted from 1; it may lie outside.
    frames, first_frame : int
        How many frames it has, and the image frame that its first one belongs to (PS3.3 C.9.3); 0 frames are one
        plane for every frame of the image.
    embedded_bit : int or None
        The bit of the image's cells that it lies in, where it has no data of its own.
    """

    header: Header
    group: int
    rows: int
    columns: int
    row: int
    column: int
    frames: int
    first_frame: int
    embedded_bit: int | None

    def mask(self, frame: int, cells: Array) -> Array | None:
        """Where the overlay is set on an image frame, `(rows, columns)` of the image; None where it has nothing for it.

        Parameters
        ----------
        frame : int
            Counted from 1.
        cells : ndarray, shape (rows, columns)
            The frame's cells, unmasked: old overlays lie in their unused bits (PS3.5 8.1.2, retired).

        Raises
        ------
        ConversionError
            Where the overlay's data is too short.
        """
        if self.embedded_bit is not None:
            return np.asarray((cells >> self.embedded_bit) & 1 == 1)
        own = frame - self.first_frame if self.frames else 0
        if not 0 <= own < max(1, self.frames):
            return None
        return _placed(self._plane(own), cells.shape[:2], self.row - 1, self.column - 1)

    def _plane(self, number: int) -> Array:
        """One plane of the data, packed bits with the lowest first (PS3.5 8.1.2)."""
        count = self.rows * self.columns
        begin = number * count
        raw = self.header.raw(Tag(self.group << 16 | 0x3000, "OW", "OverlayData"))
        element = self.header.element(self.group << 16 | 0x3000)
        if element is None or len(raw) * 8 < begin + count:
            raise ConversionError("the overlay's data is too short", tag=self.group << 16 | 0x3000)
        packed = np.frombuffer(raw, np.uint8)
        if element.encoding.big_endian and element.vr != b"OB":
            packed = packed[: len(packed) // 2 * 2].reshape(-1, 2)[:, ::-1].reshape(-1)
        bits = np.unpackbits(packed[begin // 8 : (begin + count) // 8 + 1], bitorder="little")
        return bits[begin % 8 : begin % 8 + count].reshape(self.rows, self.columns).astype(bool)


def overlays(header: Header, bits_allocated: int = 16) -> tuple[Overlay, ...]:
    """The overlay planes of an image or presentation state.

    Raises
    ------
    ConversionError
        Where a plane's description makes no sense.
    """
    found = (_overlay(header, group, bits_allocated) for group in GROUPS)
    return tuple(overlay for overlay in found if overlay)


def masks(planes: Iterable[Overlay], frame: int, cells: Array) -> Iterator[Array]:
    """Where each of some planes is set on an image frame; those that have nothing for it are left out."""
    for plane in planes:
        mask = plane.mask(frame, cells)
        if mask is not None:
            yield mask


def _overlay(header: Header, group: int, bits_allocated: int) -> Overlay | None:
    rows, columns = _integers(header, group, 0x0010, "US"), _integers(header, group, 0x0011, "US")
    if not rows or not columns:
        return None
    own_data = (group << 16 | 0x3000) in header
    bit = (_integers(header, group, 0x0102, "US") or (0,))[0]
    if not own_data and not 0 < bit < bits_allocated:
        return None
    origin = _integers(header, group, 0x0050, "SS") or (1, 1)
    frames = (_integers(header, group, 0x0015, "IS") or (0,))[0]
    first = (_integers(header, group, 0x0051, "US") or (1,))[0]
    if len(origin) < 2 or not 0 <= frames <= LIMITS.frames or not rows[0] or not columns[0]:
        raise ConversionError("the overlay's origin or size makes no sense", tag=group << 16 | 0x0050)
    embedded = None if own_data else bit
    return Overlay(header, group, rows[0], columns[0], origin[0], origin[1], frames, first, embedded)


def _integers(header: Header, group: int, element: int, vr: str) -> tuple[int, ...]:
    return tuple(int(value) for value in header.numbers(Tag(group << 16 | element, vr, f"Overlay {element:04X}")))


def _placed(plane: Array, shape: tuple[int, ...], row: int, column: int) -> Array:
    """The plane on a canvas of the image's size; what lies outside is cut off."""
    canvas = np.zeros(shape, bool)
    inside = canvas[max(row, 0) : max(row + plane.shape[0], 0), max(column, 0) : max(column + plane.shape[1], 0)]
    top, left = max(-row, 0), max(-column, 0)
    inside[...] = plane[top : top + inside.shape[0], left : left + inside.shape[1]]
    return canvas


def drawn(pixels: Array, mask: Array) -> Array:
    """The picture with the mask's pixels at the brightest value of its depth."""
    result = pixels.copy()
    result[mask] = np.iinfo(pixels.dtype).max
    return result
