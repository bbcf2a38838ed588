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
    extended = from_sign == (1 << (cell - stored + 1)) - 1
    # Where some signs go on, a sign bit alone is none: it is a value beyond the highest.
    most = 1 if pixels.signed and extended.any() else 2
    return not ((from_sign < most) | extended).all()


def cut_off(samples: Array, pixels: PixelFormat) -> Array:
    """Samples of a lossy codec that went beyond the stored bits at an edge, as the nearest values that these hold.

    JPEG 2000 of white beside black overshoots by a fifth of the range at 50 dB; its own depth, which may be more than
    Bits Stored, does not stop it.

    Raises
    ------
    ConversionError
        As `too_deep`, where they go half of the range beyond: that is no overshoot.
    """
    values = _in_cells(samples, pixels)
    beyond = max(int(values.max()) - pixels.highest, pixels.lowest - int(values.min()))
    if beyond > (pixels.highest - pixels.lowest) // 2:
        raise too_deep(samples, pixels)
    return np.asarray(np.clip(values, pixels.lowest, pixels.highest).view(samples.dtype))


def too_deep(samples: Array, pixels: PixelFormat) -> ConversionError:
    """The error of samples that exceed (0028,0101) Bits Stored: masked they would be another picture."""
    values = _in_cells(samples, pixels)
    found, held = f"{values.min()} to {values.max()}", f"{pixels.lowest} to {pixels.highest}"
    reason = f"the compressed picture has values from {found}, {pixels.bits_stored} bits hold {held}"
    return ConversionError(reason, tag=tags.BITS_STORED)


def _in_cells(samples: Array, pixels: PixelFormat) -> Array:
    """Values by the sign of the whole cell."""
    return samples.view(f"{'i' if pixels.signed else 'u'}{samples.dtype.itemsize}")
