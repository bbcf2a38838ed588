"""What a presentation state lays over a picture, and the part of it that is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.dicom import tags
from converter.pixels.overlays import drawn, masks
from converter.pixels.overlays import overlays as overlay_planes
from converter.presentation.graphics import annotated
from converter.presentation.shutter import shutter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from converter.arrays import Array
    from converter.instance import Frame
    from converter.presentation.state import PresentationState
    from converter.presentation.view import View


def presented(pixels: Array, frame: Frame, state: PresentationState, view: View, *, overlays: bool) -> Array:
    """The picture with shutter, overlays and annotations, the displayed part of it, turned.

    Parameters
    ----------
    overlays : bool
        Draw every overlay plane, not only those that the state activates.

    References
    ----------
    PS3.4 N.2.3
    """
    covers = shutter(state.header)
    if covers:
        pixels = covers.drawn(pixels)
    for mask in _masks(frame, state, all_of_them=overlays):
        pixels = drawn(pixels, mask)
    uid = frame.instance.sop_instance_uid
    return annotated(view.of(pixels), list(state.items(tags.GRAPHIC_ANNOTATIONS, uid, frame.number)), view)


def _masks(frame: Frame, state: PresentationState, *, all_of_them: bool) -> Iterator[Array]:
    """Overlay planes to draw; one of the state goes in place of the image's of the same group (PS3.3 C.11.7)."""
    own = overlay_planes(frame.instance.header, frame.instance.pixels.bits_allocated)
    planes = {plane.group: plane for plane in (*own, *overlay_planes(state.header, 0))}
    planes.pop(state.header.integer(tags.SHUTTER_OVERLAY_GROUP) or 0, None)
    shown = (plane for group, plane in planes.items() if all_of_them or state.activates(group))
    yield from masks(shown, frame.number, frame.samples)
