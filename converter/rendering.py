"""A frame made visible: gray or colour pixels, and what they were made with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from converter.dicom import tags
from converter.errors import ConversionError
from converter.gray.choice import Voi, inverse, modality, voi
from converter.gray.padding import padding
from converter.gray.request import FILE, NONE, OWN, WindowRequest
from converter.gray.table import Chain, gray
from converter.gray.window import Window
from converter.picture.graphics import annotated
from converter.picture.shutter import shutter
from converter.pixels.color import rgb
from converter.pixels.native import stored_values
from converter.pixels.overlays import drawn
from converter.pixels.overlays import overlays as overlay_planes
from converter.pixels.palette import colored, palette

if TYPE_CHECKING:
    from collections.abc import Iterator

    from converter.arrays import Array
    from converter.dicom.header import Header
    from converter.gray.presentation import PresentationState
    from converter.instance import Frame


@dataclass(frozen=True, slots=True)
class Rendering:
    """Pixels as they are shown.

    Attributes
    ----------
    pixels : ndarray, shape (rows, columns) or (rows, columns, 3)
        uint8, or big-endian uint16.
    window : Window or None
        What was shown of the values; None for colour, stored values and VOI LUTs.
    window_source : str
        `frame`, `shared`, `image` (each perhaps with more after a colon), `preset NAME`, `given`, `auto: ...`,
        `full range`, `stored values`, `color`.
    offset : int
        With stored values: what was added so that signed ones fit.
    warnings : tuple of str
        What was not as the standard says and was put right.
    """

    pixels: Array
    window: Window | None
    window_source: str
    offset: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def bits(self) -> int:
        """8 or 16 bits a sample."""
        return self.pixels.dtype.itemsize * 8

    def with_pixels(self, pixels: Array) -> Rendering:
        """The same with other pixels."""
        return replace(self, pixels=pixels)


def render(
    frame: Frame,
    window: WindowRequest = OWN,
    bits: int = 8,
    *,
    presentation: PresentationState | None = None,
    overlays: bool = False,
) -> Rendering:
    """Make a frame visible by the standard's chain.

    The grayscale chain is one table, kept while the same chain and format come again: rendering a frame again with
    another window costs that table and one gather.

    Parameters
    ----------
    frame : Frame
        From `converter.frames`.
    window : WindowRequest
        The object's own window by default.
    bits : int
        8 or 16 bits of gray or colour.
    presentation : PresentationState, optional
        Shows the frames it refers to as it says: window, shutter, annotations, rotation, flip.
    overlays : bool
        Draw the image's overlay planes.

    Raises
    ------
    ConversionError
        Naming file, frame and element.

    References
    ----------
    PS3.4 N.2; PS3.3 C.7.6.3, C.11.1, C.11.2, C.11.6
    """
    instance = frame.instance
    state = presentation if presentation and presentation.applies(instance.sop_instance_uid, frame.number) else None
    try:
        if window.kind == NONE:
            return _stored(frame)
        rendering = _gray(frame, window, bits, state) if _is_gray(frame) else _color(frame, bits)
        return _finished(rendering, frame, state, overlays=overlays)
    except ConversionError as error:
        error.at(file=instance.file.name, frame=frame.number)
        raise


def _is_gray(frame: Frame) -> bool:
    """Whether the grayscale chain gives the whole picture; a supplemental palette adds colour (PS3.3 C.7.6.19)."""
    return frame.pixels.gray and tags.PALETTE_DESCRIPTORS[0] not in frame.instance.header


def _gray(frame: Frame, request: WindowRequest, bits: int, state: PresentationState | None = None) -> Rendering:
    header = frame.instance.header
    chosen = _voi(frame, request, state)
    chain = Chain(
        state.modality() if state else modality(header, frame.number),
        chosen.voi,
        presentation=state.presentation_lut() if state else None,
        inverse=state.inverse if state else inverse(header, frame.pixels.photometric),
        padding=padding(header),
        bits=bits,
    )
    shown = chosen.voi if isinstance(chosen.voi, Window) else None
    return Rendering(gray(frame.samples, chain, frame.pixels), shown, chosen.source, warnings=chosen.warnings)


def _voi(frame: Frame, request: WindowRequest, state: PresentationState | None) -> Voi:
    instance = frame.instance
    if state and request.kind == FILE:
        return state.voi(instance.sop_instance_uid, frame.number, frame.pixels)
    return voi(instance.header, frame.pixels, frame.number, request, lambda: instance.automatic_window)


def _finished(rendering: Rendering, frame: Frame, state: PresentationState | None, *, overlays: bool) -> Rendering:
    """The rendering with what lies over it, and turned."""
    pixels = rendering.pixels
    covers = shutter(state.header) if state else None
    if covers:
        pixels = covers.drawn(pixels)
    for mask in _masks(frame, state, all_of_them=overlays):
        pixels = drawn(pixels, mask)
    if state:
        pixels = state.oriented(annotated(pixels, state.header))
    return rendering if pixels is rendering.pixels else replace(rendering, pixels=pixels)


def _masks(frame: Frame, state: PresentationState | None, *, all_of_them: bool) -> Iterator[Array]:
    """Overlay planes to draw: all of the image's where that is asked for, or those that the state activates."""
    if not all_of_them and not state:
        return
    own = overlay_planes(frame.instance.header, frame.instance.pixels.bits_allocated)
    planes = [plane for plane in own if all_of_them or (state and state.activates(plane.group))]
    for plane in (*planes, *(overlay_planes(state.header, 0) if state else ())):
        mask = plane.mask(frame.number, frame.samples)
        if mask is not None:
            yield mask


def _color(frame: Frame, bits: int) -> Rendering:
    if frame.pixels.gray:
        return _supplemented(frame, bits)
    if frame.pixels.photometric == "PALETTE COLOR":
        pixels = _palette(frame, frame.instance.header, bits)
    else:
        pixels = _scaled(rgb(frame.samples, frame.pixels.photometric, frame.pixels.bits_stored), frame, bits)
    return Rendering(pixels, None, "color")


def _supplemented(frame: Frame, bits: int) -> Rendering:
    """Gray, and colour for stored values from the supplemental palette's first one up (PS3.3 C.7.6.19)."""
    rendering = _gray(frame, OWN, bits)
    first, colors = palette(frame.instance.header, bits)
    stored = frame.stored
    pixels = np.repeat(rendering.pixels[:, :, None], 3, axis=2)
    in_color = stored >= first
    pixels[in_color] = colored(stored[in_color], first, colors)
    return replace(rendering, pixels=pixels)


def _palette(frame: Frame, header: Header, bits: int) -> Array:
    first, colors = palette(header, bits)
    return colored(stored_values(frame.samples, frame.pixels), first, colors)


def _scaled(samples: Array, frame: Frame, bits: int) -> Array:
    """Colour samples at the depth that is wanted; 8 bits stay as they are."""
    stored = frame.pixels.bits_stored
    if samples.dtype == np.uint8 and stored == 8 and bits == 8:
        return samples
    top = (1 << bits) - 1
    values = stored_values(samples, frame.pixels) / float((1 << stored) - 1)
    return np.floor(values * top + 0.5).astype(np.uint8 if bits == 8 else ">u2")


def _stored(frame: Frame) -> Rendering:
    """Stored values as they are, in 8 or 16 bits; signed ones are moved up by half of their range."""
    values = frame.stored
    if frame.pixels.real or frame.pixels.bits_stored > 16:
        raise ConversionError("stored values of more than 16 bits do not fit a PNG; choose a window")
    offset = -frame.pixels.lowest
    narrow = frame.pixels.bits_stored <= 8
    return Rendering((values + offset).astype(np.uint8 if narrow else ">u2"), None, "stored values", offset)
