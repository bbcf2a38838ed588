"""The chain that a frame is shown with, and where each part of it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from converter.dicom import tags
from converter.dicom.groups import candidates
from converter.errors import ConversionError
from converter.gray.lut import Lut, lut_of
from converter.gray.presets import FULL, SCALED, key, preset
from converter.gray.request import AUTO, FILE, WindowRequest
from converter.gray.table import Rescale
from converter.gray.window import LINEAR_EXACT, Window, windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from converter.dicom.header import Header
    from converter.pixels.format import PixelFormat

    Automatic = Callable[..., Window]

# Of an object without a window: what lies beyond is one value in a thousand at each end, hot pixels and collimators.
PERCENTILES = (0.1, 99.9)


class Voi(NamedTuple):
    """A window or VOI LUT, where it came from, and what was wrong on the way."""

    voi: Window | Lut
    source: str
    warnings: tuple[str, ...] = ()


def modality(header: Header, frame: int) -> Rescale | Lut:
    """Modality LUT or rescale of a frame.

    Raises
    ------
    ConversionError
        Where the table is damaged.

    References
    ----------
    PS3.3 C.11.1; C.7.6.16.2.9 for functional groups; C.8.8.3 for (3004,000E) Dose Grid Scaling
    """
    table = header.first_item(tags.MODALITY_LUT_SEQUENCE)
    if table is not None:
        return lut_of(table)
    for _, item in candidates(header, tags.PIXEL_VALUE_TRANSFORMATION, frame):
        slope, intercept = item.number(tags.RESCALE_SLOPE), item.number(tags.RESCALE_INTERCEPT)
        if slope is not None or intercept is not None:
            return _rescale(1.0 if slope is None else slope, intercept or 0.0)
    return _rescale(header.number(tags.DOSE_GRID_SCALING) or 1.0, 0.0)


def _rescale(slope: float, intercept: float) -> Rescale:
    """A rescale that means something; a slope of 0 would make every pixel the same and is read as 1."""
    if not (np.isfinite(slope) and np.isfinite(intercept)):
        raise ConversionError(f"a rescale of {slope} and {intercept} is no number", tag=tags.RESCALE_SLOPE)
    return Rescale(slope or 1.0, intercept)


def voi(header: Header, pixels: PixelFormat, frame: int, request: WindowRequest, automatic: Automatic) -> Voi:
    """What a frame's modality values are shown with.

    Parameters
    ----------
    request : WindowRequest
        What was asked for.
    automatic : callable
        Gives a window between two percentiles of the object's values; called only where one is needed.

    Raises
    ------
    ConversionError
        Where a number or name is asked for that the object does not have.

    References
    ----------
    PS3.3 C.11.2; C.7.6.16.2.10 for functional groups
    """
    if request.window is not None:
        return Voi(request.window, "given")
    if request.kind == AUTO:
        return Voi(automatic(), _automatic_source())
    own = _own(header, frame)
    if request.kind == FILE:
        return _first(own, header, pixels, frame, automatic)
    if request.kind == "number":
        return _numbered(own, request.number)
    return _named(own, header, request.name, automatic)


def _automatic_source() -> str:
    return f"auto: percentiles {PERCENTILES[0]} to {PERCENTILES[1]}"


class _Own(NamedTuple):
    """What an object brings for a frame: where it stands, VOI LUTs first, then legal windows."""

    place: str
    choices: tuple[Window | Lut, ...]
    warnings: tuple[str, ...] = ()


def _own(header: Header, frame: int) -> _Own:
    """The VOI LUTs and windows of the first place that has any that are legal."""
    warnings: tuple[str, ...] = ()
    for place, item in candidates(header, tags.FRAME_VOI_LUT, frame):
        found = windows(item)
        legal = tuple(window for window in found if window.legal)
        if len(legal) < len(found):
            warnings = ("a window that is not legal was passed over",)
        choices: tuple[Window | Lut, ...] = (*map(lut_of, item.items(tags.VOI_LUT_SEQUENCE)), *legal)
        if choices:
            return _Own(place, choices, warnings)
    return _Own("none", (), warnings)


def _first(own: _Own, header: Header, pixels: PixelFormat, frame: int, automatic: Automatic) -> Voi:
    """The first of the object's own, or what is right for an object that has none."""
    if own.choices:
        chosen = own.choices[0]
        return Voi(chosen, f"{own.place}: VOI LUT" if isinstance(chosen, Lut) else own.place, own.warnings)
    top = segment_top(header)
    if top:
        return Voi(Window(top / 2, top, LINEAR_EXACT), "full range", own.warnings)
    if pixels.bits_stored <= 8 and not pixels.real:
        return Voi(full_range(pixels, modality(header, frame)), "full range", own.warnings)
    return Voi(automatic(), _automatic_source(), own.warnings)


def segment_top(header: Header) -> int | None:
    """The highest value of a fractional or labelmap segmentation, or None (PS3.3 C.8.20.2)."""
    kind = header.text(tags.SEGMENTATION_TYPE)
    if kind == "FRACTIONAL":
        return header.integer(tags.MAXIMUM_FRACTIONAL_VALUE)
    if kind == "LABELMAP":
        return max((item.integer(tags.SEGMENT_NUMBER) or 0 for item in header.items(tags.SEGMENT_SEQUENCE)), default=0)
    return None


def full_range(pixels: PixelFormat, transform: Rescale | Lut) -> Window:
    """The window that shows every value the stored bits can hold."""
    ends = transform(np.array([pixels.lowest, pixels.highest]))
    if isinstance(transform, Lut):
        ends = np.array([0, (1 << transform.bits) - 1])
    low, high = float(min(ends)), float(max(ends))
    return Window((low + high) / 2, high - low or 1.0, LINEAR_EXACT)


def _numbered(own: _Own, number: int) -> Voi:
    if not 1 <= number <= len(own.choices):
        raise ConversionError(f"window {number} is asked for, the image has {len(own.choices)}", tag=tags.WINDOW_CENTER)
    return Voi(own.choices[number - 1], f"{own.place}: number {number}", own.warnings)


def _named(own: _Own, header: Header, name: str, automatic: Automatic) -> Voi:
    """By an explanation in the object, else a preset."""
    for choice in own.choices:
        if choice.explanation.lower() == name.lower():
            return Voi(choice, f"{own.place}: {choice.explanation}", own.warnings)
    wanted = key(name)
    if wanted == FULL:
        return Voi(automatic(0, 100), "preset full")
    if wanted in SCALED:
        return _scaled(own, wanted, automatic)
    return Voi(preset(header, wanted), f"preset {wanted}")


def _scaled(own: _Own, name: str, automatic: Automatic) -> Voi:
    """The object's own first window, or the automatic one, made narrower or wider."""
    windows_of_own = (choice for choice in own.choices if isinstance(choice, Window))
    window = next(windows_of_own, None)
    base, source = (window, own.place) if window else (automatic(), "auto")
    return Voi(Window(base.center, base.width * SCALED[name], base.function), f"preset {name} of {source}")


def inverse(header: Header, photometric: str) -> bool:
    """Whether the lowest value is white.

    (2050,0020) Presentation LUT Shape says it where it is present; a DX image says it a second time by MONOCHROME1,
    which must not turn it back.

    References
    ----------
    PS3.3 C.11.6, C.7.6.3.1.2
    """
    shape = header.text(tags.PRESENTATION_LUT_SHAPE)
    return shape == "INVERSE" if shape else photometric == "MONOCHROME1"


def polarity_warnings(header: Header, photometric: str) -> tuple[str, ...]:
    """What is wrong with an image that says two things of its polarity (PS3.3 C.7.6.1: INVERSE is for MONOCHROME1)."""
    shape = header.text(tags.PRESENTATION_LUT_SHAPE)
    if not shape or (shape == "INVERSE") == (photometric == "MONOCHROME1"):
        return ()
    return (f"the image says {photometric} and {shape}; it is shown as {shape}",)
