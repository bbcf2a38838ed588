"""A rendering as PNG bytes, with all that the picture says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.dicom import tags
from converter.options import Options
from converter.picture import png
from converter.picture.chunks import NOT_FOR_DIAGNOSIS, color_space, physical, text
from converter.picture.owner import SOP_INSTANCE_UID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from converter.instance import Frame
    from converter.picture.png import Chunk
    from converter.rendering import Rendering


_ALWAYS = (text("Software", "Gurney"), text("Disclaimer", NOT_FOR_DIAGNOSIS))


def encode(rendering: Rendering, frame: Frame | None = None, options: Options | None = None) -> bytes:
    """A rendering as a PNG file.

    Parameters
    ----------
    rendering : Rendering
        From `converter.render`.
    frame : Frame, optional
        Where it came from: gives the physical size, the colour space and the text that says what the picture is.
    options : Options, optional
        `small` and `identified` are looked at.

    References
    ----------
    ISO/IEC 15948 (PNG)
    """
    return b"".join(parts(rendering, frame, options or Options()))


def parts(rendering: Rendering, frame: Frame | None, options: Options) -> list[bytes]:
    """The same in parts, which need not be copied together to be written."""
    return png.parts(rendering.pixels, chunks(rendering, frame, options) if frame else (), small=options.small)


def chunks(rendering: Rendering, frame: Frame, options: Options) -> Iterator[Chunk]:
    """The ancillary chunks of a picture: colour space, physical size, and what it shows."""
    header = frame.instance.header
    if rendering.pixels.ndim == 3:
        yield from color_space(rendering.colors_of or header)
    if rendering.pixel_size and (chunk := physical(rendering.pixel_size)):
        yield chunk
    yield from _ALWAYS
    yield text(SOP_INSTANCE_UID, frame.instance.sop_instance_uid)
    yield text("Frame", f"{frame.number} of {frame.instance.frame_count}")
    yield text("Window", described(rendering))
    if options.identified:
        yield text("Title", f"{header.text(tags.PATIENT_NAME)} ({header.text(tags.PATIENT_ID)})")


def described(rendering: Rendering) -> str:
    """The window in words: centre, width, function, and where it came from."""
    window = rendering.window
    offset = f", {rendering.offset} added" if rendering.offset else ""
    shown = f"center {window.center:g} width {window.width:g} {window.function}, " if window else ""
    return f"{shown}{rendering.window_source}{offset}"
