"""Functional groups: what holds for one frame, before what all frames share, before the dataset itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from converter.dicom import tags

if TYPE_CHECKING:
    from converter.dicom.header import Header
    from converter.dicom.tags import Tag


class Found(NamedTuple):
    """Where something was found: `"frame"`, `"shared"` or `"image"`, and the item that holds it."""

    place: str
    item: Header


def candidates(header: Header, macro: Tag, frame: int) -> tuple[Found, ...]:
    """Items that may say something about a frame, the one that goes first first.

    Parameters
    ----------
    macro : Tag
        The functional group's sequence, such as (0028,9132) Frame VOI LUT Sequence.
    frame : int
        Counted from 1.

    References
    ----------
    PS3.3 C.7.6.16
    """
    return (*_in_frame(header, macro, frame), *_shared(header, macro), Found("image", header))


def _in_frame(header: Header, macro: Tag, frame: int) -> tuple[Found, ...]:
    frames = header.items(tags.PER_FRAME_FUNCTIONAL_GROUPS)
    if frame > len(frames):
        return ()
    item = frames[frame - 1].first_item(macro)
    return () if item is None else (Found("frame", item),)


def _shared(header: Header, macro: Tag) -> tuple[Found, ...]:
    shared = header.first_item(tags.SHARED_FUNCTIONAL_GROUPS)
    item = shared.first_item(macro) if shared else None
    return () if item is None else (Found("shared", item),)
