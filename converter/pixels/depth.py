"""Whether a compressed picture holds more than the header says: cells too wide, values too high."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from converter.dicom import tags
from converter.errors import ConversionError

if TYPE_CHECKING:
    from converter.arrays import Array
    from converter.pixels.format import PixelFormat


def check_cells(samples: Array, pixels: PixelFormat) -> None:
    """Refuse samples that do not fit the header's cells.

    Raises
    ------
    ConversionError
        Naming (0028,0100) Bits Allocated: cut off they would be another picture.
    """
    bits = samples.dtype.itemsize * 8
    if samples.dtype.kind != "u" or bits > max(8, pixels.bits_allocated):
        kind = "floating-point numbers" if samples.dtype.kind == "f" else f"cells of {bits} bits"
        reason = f"the header says cells of {pixels.bits_allocated} bits, the compressed picture has {kind}"
        raise ConversionError(reason, tag=tags.BITS_ALLOCATED)


def exceeds(samples: Array, pixels: PixelFormat) -> bool:
    """Whether there are values that the stored bits cannot hold; a sign that goes on above them is none.

    References
    ----------
    PS3.5 8.1.1
    """
    cell, stored = samples.dtype.itemsize * 8, pixels.bits_stored
    if cell <= stored or not samples.size or int(samples.max()) < 1 << stored:
        return False
    from_sign = samples >> np.array(stored - 1, samples.dtype)
    only_sign = (from_sign < 2) | (from_sign == (1 << (cell - stored + 1)) - 1)
    return not only_sign.all()


def too_deep(samples: Array, pixels: PixelFormat) -> ConversionError:
    """The error of samples that exceed (0028,0101) Bits Stored: masked they would be another picture."""
    most = (1 << pixels.bits_stored) - 1
    reason = f"the compressed picture has values up to {samples.max()}, {pixels.bits_stored} bits hold {most} at most"
    return ConversionError(reason, tag=tags.BITS_STORED)
