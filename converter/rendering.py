"""A frame made visible: gray or colour pixels, and what they were made with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from converter.dicom import tags
from converter.errors import ConversionError
from converter.gray.choice import Voi, inverse, modality, polarity_warnings, voi
from converter.gray.padding import covers, padding
from converter.gray.request import FILE, NONE, OWN, WindowRequest
from converter.gray.table import Chain, gray
from converter.gray.window import Window
from converter.picture.pixel_size import PixelSize, pixel_size, squared
from converter.pixels.color import rgb
from converter.pixels.native import stored_values
from converter.pixels.overlays import drawn, masks
from converter.pixels.overlays import overlays as overlay_planes
from converter.pixels.palette import colored, palette

if TYPE_CHECKING:
    from converter.arrays import Array
    from converter.dicom.header import Header
    from converter.instance import Frame
    from converter.presentation.state import PresentationState


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
    pixel_size : PixelSize or None
        How large a pixel of the picture is.
    colors_of : Header or None
        What says what colours mean: the image's header, or a presentation state's.
    """

    pixels: Array
    window: Window | None
    window_source: str
    offset: int = 0
    warnings: tuple[str, ...] = ()
    pixel_size: PixelSize | None = None
    colors_of: Header | None = None

    @property
    def bits(self) -> int:
        """8 or 16 bits a sample."""
        return self.pixels.dtype.itemsize * 8

    def squared(self) -> Rendering:
        """The same with square pixels, where it is known how large they are."""
        size = self.pixel_size
        return replace(self, pixels=squared(self.pixels, size), pixel_size=size.squared()) if size else self


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
        Shows the frames it refers to as it says: window, palette, shutter, annotations, displayed area, rotation, flip.
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
            shown = _stored(frame)
        elif state:
            shown = _by_state(frame, window, bits, state, overlays=overlays)
        else:
            shown = _by_image(frame, window, bits)
            shown = _overlaid(shown, frame) if overlays else shown
        return shown if shown.pixel_size else replace(shown, pixel_size=pixel_size(instance.header, frame.number))
    except ConversionError as error:
        error.at(file=instance.file.name, frame=frame.number)
        raise


def _by_image(frame: Frame, request: WindowRequest, bits: int, state: PresentationState | None = None) -> Rendering:
    """As the image says, its grays by a state where there is one."""
    if not frame.pixels.gray:
        return _color(frame, bits)
    rendering = _gray(frame, request, bits, state)
    supplemented = tags.PALETTE_DESCRIPTORS[0] in frame.instance.header
    return _supplemented(rendering, frame, bits) if supplemented else rendering


def _gray(frame: Frame, request: WindowRequest, bits: int, state: PresentationState | None = None) -> Rendering:
    chosen = _voi(frame, request, state)
    shown = chosen.voi if isinstance(chosen.voi, Window) else None
    pixels = gray(frame.samples, _chain(frame, chosen, (1 << bits) - 1, state), frame.pixels)
    doubts = () if state else polarity_warnings(frame.instance.header, frame.pixels.photometric)
    size = pixel_size(frame.instance.header, frame.number)
    return Rendering(pixels, shown, chosen.source, warnings=chosen.warnings + doubts, pixel_size=size)


def _chain(frame: Frame, chosen: Voi, top: int, state: PresentationState | None) -> Chain:
    header = frame.instance.header
    return Chain(
        state.modality() if state else modality(header, frame.number),
        chosen.voi,
        presentation=state.presentation_lut() if state else None,
        inverse=state.inverse if state else inverse(header, frame.pixels.photometric),
        padding=padding(header),
        top=top,
    )


def _voi(frame: Frame, request: WindowRequest, state: PresentationState | None) -> Voi:
    instance = frame.instance
    if state and request.kind == FILE:
        return state.voi(instance.sop_instance_uid, frame.number, frame.pixels)
    return voi(instance.header, frame.pixels, frame.number, request, instance.automatic_window)


def _by_state(
    frame: Frame, request: WindowRequest, bits: int, state: PresentationState, *, overlays: bool
) -> Rendering:
    """As a presentation state says, with what it lays over the picture."""
    from converter.presentation.layers import presented

    instance = frame.instance
    shown = _COLORED[state.kind](frame, request, bits, state)
    view = state.view(instance.sop_instance_uid, frame.number, *frame.samples.shape[:2])
    size = view.size_of(pixel_size(instance.header, frame.number))
    pixels = presented(shown.pixels, frame, state, view, overlays=overlays)
    return replace(shown, pixels=pixels, pixel_size=size)


def _grays_by_state(frame: Frame, request: WindowRequest, bits: int, state: PresentationState) -> Rendering:
    rendering = _by_image(frame, request, bits, state)
    return rendering if frame.pixels.gray else _warned(rendering, "a grayscale presentation state leaves colours alone")


def _colors_by_state(frame: Frame, request: WindowRequest, bits: int, state: PresentationState) -> Rendering:
    """Colours, whose meaning the state's profile tells (PS3.4 N.2.2.1)."""
    rendering = _by_image(frame, request, bits)
    if frame.pixels.gray:
        return _warned(rendering, "a colour presentation state leaves grays alone")
    return replace(rendering, colors_of=state.header)


def _pseudo_colors_by_state(frame: Frame, request: WindowRequest, bits: int, state: PresentationState) -> Rendering:
    """Grays by the state's window, colours by its palette, whatever palette the image has (PS3.4 N.2)."""
    if not frame.pixels.gray:
        return _warned(_color(frame, bits), "a pseudo-colour presentation state leaves colours alone")
    _, colors = palette(state.header, bits)
    chosen = _voi(frame, request, state)
    # The whole range of the VOI's output goes over all of the palette, as PS3.4 N.2.4.2 has it.
    places = gray(frame.samples, _chain(frame, chosen, len(colors) - 1, state), frame.pixels)
    pixels = np.take(colors, places, axis=0)
    if edges := padding(frame.instance.header):
        pixels[covers(edges, frame.stored)] = 0
    shown = chosen.voi if isinstance(chosen.voi, Window) else None
    return Rendering(pixels, shown, chosen.source, warnings=chosen.warnings, colors_of=state.header)


_COLORED = {"grayscale": _grays_by_state, "colour": _colors_by_state, "pseudo-colour": _pseudo_colors_by_state}


def _warned(rendering: Rendering, words: str) -> Rendering:
    return replace(rendering, warnings=(*rendering.warnings, words))


def _overlaid(rendering: Rendering, frame: Frame) -> Rendering:
    """With all of the image's overlay planes (PS3.3 C.9.2)."""
    pixels = rendering.pixels
    planes = overlay_planes(frame.instance.header, frame.instance.pixels.bits_allocated)
    for mask in masks(planes, frame.number, frame.samples):
        pixels = drawn(pixels, mask)
    return rendering if pixels is rendering.pixels else replace(rendering, pixels=pixels)


def _color(frame: Frame, bits: int) -> Rendering:
    if frame.pixels.photometric == "PALETTE COLOR":
        pixels = _palette(frame, frame.instance.header, bits)
    else:
        pixels = _scaled(rgb(frame.samples, frame.pixels.photometric, frame.pixels.bits_stored), frame, bits)
    return Rendering(pixels, None, "color", colors_of=frame.instance.header)


def _supplemented(rendering: Rendering, frame: Frame, bits: int) -> Rendering:
    """Gray, and colour for stored values from the supplemental palette's first one up (PS3.3 C.7.6.19)."""
    first, colors = palette(frame.instance.header, bits)
    stored = frame.stored
    pixels = np.repeat(rendering.pixels[:, :, None], 3, axis=2)
    in_color = stored >= first
    pixels[in_color] = colored(stored[in_color], first, colors)
    return replace(rendering, pixels=pixels, colors_of=frame.instance.header)


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
    """Stored values as they are, in 8 or 16 bits, YBR as RGB; signed ones are moved up by half of their range."""
    values = (
        frame.stored
        if frame.pixels.samples == 1
        else rgb(frame.stored, frame.pixels.photometric, frame.pixels.bits_stored)
    )
    if frame.pixels.real or frame.pixels.bits_stored > 16:
        raise ConversionError("stored values of more than 16 bits do not fit a PNG; choose a window")
    offset = -frame.pixels.lowest
    narrow = frame.pixels.bits_stored <= 8
    return Rendering((values + offset).astype(np.uint8 if narrow else ">u2"), None, "stored values", offset)
