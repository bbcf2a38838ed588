"""Colour spaces: YBR to RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from converter.arrays import Array

# PS3.3 C.7.6.3.1.2: the inverse of the matrix for YBR_FULL (CCIR 601, full range), to six digits.
_FULL = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], np.float32)
# The inverse for YBR_PARTIAL: luminance 16..235, chrominance 16..240.
_PARTIAL = np.array(
    [[1.164384, 0, 1.596027], [1.164384, -0.391762, -0.812968], [1.164384, 2.017232, 0]], np.float32
)  # fmt: skip


def rgb(samples: Array, photometric: str, bits: int = 8) -> Array:
    """RGB samples of the same shape and depth.

    Parameters
    ----------
    samples : ndarray, shape (rows, columns, 3)
        Unsigned samples.
    photometric : str
        (0028,0004) Photometric Interpretation of the samples as they are.
    bits : int
        Bits Stored; the chrominance is 0 at half of them.

    References
    ----------
    PS3.3 C.7.6.3.1.2
    """
    if not photometric.startswith(("YBR_FULL", "YBR_PARTIAL")):
        return samples  # decoders undo YBR_RCT and YBR_ICT themselves
    partial = "PARTIAL" in photometric
    scale = 2.0 ** (bits - 8)
    offset = np.array([16 * scale if partial else 0, 128 * scale, 128 * scale], np.float32)
    result = (samples.astype(np.float32) - offset) @ (_PARTIAL if partial else _FULL).T
    return np.clip(np.floor(result + 0.5), 0, (1 << bits) - 1).astype(samples.dtype)


def upsampled_422(cells: Array, rows: int, columns: int) -> Array:
    """YBR 4:2:2 as it lies in native pixel data, Y1 Y2 Cb Cr, to `(rows, columns, 3)`.

    References
    ----------
    PS3.3 C.7.6.3.1.2: the chrominance samples are those of the first of two pixels.
    """
    quads = cells.reshape(-1, 4)
    pairs = np.empty((len(quads), 2, 3), cells.dtype)
    pairs[:, :, 0] = quads[:, :2]
    pairs[:, :, 1:] = quads[:, None, 2:]
    return pairs.reshape(rows, columns, 3)
