"""Stored values that are no part of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from converter.dicom import tags

if TYPE_CHECKING:
    from converter.arrays import Array
    from converter.dicom.header import Header
    from converter.dicom.tags import Tag

_ELEMENTS: tuple[tuple[Tag, Tag], ...] = (
    (tags.PIXEL_PADDING_VALUE, tags.PIXEL_PADDING_RANGE_LIMIT),
    (tags.FLOAT_PIXEL_PADDING_VALUE, tags.FLOAT_PIXEL_PADDING_LIMIT),
    (tags.DOUBLE_PIXEL_PADDING_VALUE, tags.DOUBLE_PIXEL_PADDING_LIMIT),
)


def padding(header: Header) -> tuple[float, float] | None:
    """Lowest and highest padding value, or None.

    References
    ----------
    PS3.3 C.7.5.1.1.2
    """
    for value_tag, limit_tag in _ELEMENTS:
        value = header.number(value_tag)
        if value is not None:
            limit = header.number(limit_tag)
            return (value, value) if limit is None else (min(value, limit), max(value, limit))
    return None


def covers(pad: tuple[float, float], stored: Array) -> Array:
    """Where stored values are padding."""
    return np.asarray((stored >= pad[0]) & (stored <= pad[1]))


def without(values: Array, stored: Array, pad: tuple[float, float] | None) -> Array:
    """The values whose stored value is no padding and that are numbers, flat; all where nothing is left."""
    if pad:
        kept = values[~covers(pad, stored)]
        values = kept if kept.size else values
    flat = values.reshape(-1)
    if flat.dtype.kind == "f" and not np.isfinite(flat).all():
        flat = flat[np.isfinite(flat)]
    return np.asarray(flat)
