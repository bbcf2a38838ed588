"""The window: centre, width and VOI LUT function."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from converter.dicom import tags

if TYPE_CHECKING:
    from converter.arrays import Array
    from converter.dicom.header import Header

LINEAR, LINEAR_EXACT, SIGMOID = "LINEAR", "LINEAR_EXACT", "SIGMOID"


@dataclass(frozen=True, slots=True)
class Window:
    """What part of the modality values is shown, in their unit (Hounsfield units for CT).

    Attributes
    ----------
    center, width : float
        (0028,1050) Window Center and (0028,1051) Window Width.
    function : str
        (0028,1056) VOI LUT Function: `"LINEAR"`, `"LINEAR_EXACT"` or `"SIGMOID"`.
    explanation : str
        (0028,1055) Window Center & Width Explanation; no part of what makes two windows equal pictures.
    """

    center: float
    width: float
    function: str = LINEAR
    explanation: str = ""

    @property
    def legal(self) -> bool:
        """Whether the standard allows it: LINEAR needs a width of at least 1, the others above 0."""
        finite = math.isfinite(self.center) and math.isfinite(self.width)
        return finite and self.width > 0 and (self.function != LINEAR or self.width >= 1)

    def shares(self, values: Array) -> Array:
        """The output for modality values, 0 for black to 1 for white.

        References
        ----------
        PS3.3 C.11.2.1.2.1, C.11.2.1.3.1, C.11.2.1.3.2
        """
        if self.function == SIGMOID:
            exponent = np.clip((values - self.center) * (-4.0 / self.width), -700, 700)
            return np.asarray(1.0 / (1.0 + np.exp(exponent)))
        if self.function == LINEAR_EXACT:
            return _ramp(values, self.center, self.width)
        if self.width == 1:  # C.11.2.1.2.1: a threshold, the ramp has no length
            return np.asarray(values > self.center - 0.5, dtype=np.float64)
        return _ramp(values, self.center - 0.5, self.width - 1)


def _ramp(values: Array, middle: float, length: float) -> Array:
    shares = (values - middle) / length
    shares += 0.5
    return np.asarray(np.clip(shares, 0.0, 1.0, out=shares))


_ELEMENTS = (tags.SPECIFIC_CHARACTER_SET, tags.WINDOW_CENTER, tags.WINDOW_WIDTH, tags.WINDOW_EXPLANATION,
             tags.VOI_LUT_FUNCTION)  # fmt: skip


def windows(header: Header) -> tuple[Window, ...]:
    """The windows of a dataset or functional group item, illegal ones too.

    Raises
    ------
    ConversionError
        Where they hold text.

    References
    ----------
    PS3.3 C.11.2.1.2
    """
    return header.derived(_ELEMENTS, _windows)


def _windows(header: Header) -> tuple[Window, ...]:
    centers, widths = header.numbers(tags.WINDOW_CENTER), header.numbers(tags.WINDOW_WIDTH)
    if not centers:
        return ()
    function = header.text(tags.VOI_LUT_FUNCTION).upper() or LINEAR
    function = function if function in (LINEAR_EXACT, SIGMOID) else LINEAR
    explanations = header.texts(tags.WINDOW_EXPLANATION) + ("",) * len(centers)
    return tuple(Window(*parts[:2], function, parts[2]) for parts in zip(centers, widths, explanations, strict=False))
