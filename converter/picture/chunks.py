"""What a PNG says of itself: physical size, colour space, and what it shows but never who."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from converter.dicom import tags
from converter.dicom.groups import candidates
from converter.picture.png import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from converter.dicom.header import Header

NOT_FOR_DIAGNOSIS = "not for diagnosis"


def text(keyword: str, value: str) -> Chunk:
    """A Latin-1 text chunk, or an international one where the value needs it (PNG 11.3.4)."""
    key = keyword.encode("latin-1", "replace")[:79]
    try:
        return Chunk(b"tEXt", key + b"\0" + value.encode("latin-1"))
    except UnicodeEncodeError:
        return Chunk(b"iTXt", key + b"\0\0\0\0\0" + value.encode("utf-8", "replace"))


def spacing_mm(header: Header, frame: int) -> tuple[float, float] | None:
    """Distance between rows and between columns in millimetres, or None.

    References
    ----------
    PS3.3 C.7.6.16.2.1 Pixel Measures, C.7.6.2.1.1 Pixel Spacing, 10.7.1.3; C.8.11.4 for Imager Pixel Spacing
    """
    for _, item in candidates(header, tags.PIXEL_MEASURES, frame):
        found = _pair(item, tags.PIXEL_SPACING)
        if found:
            return found
    return _pair(header, tags.IMAGER_PIXEL_SPACING) or _pair(header, tags.NOMINAL_SCANNED_PIXEL_SPACING)


def _pair(header: Header, tag: tags.Tag) -> tuple[float, float] | None:
    values = header.numbers(tag)
    usable = len(values) >= 2 and all(1e-6 < value < 1e6 for value in values[:2])
    return (values[0], values[1]) if usable else None


def physical(header: Header, frame: int, *, turned: bool = False) -> Iterator[Chunk]:
    """pHYs: pixels a metre by the pixel spacing, or the pixel aspect ratio without a unit (PNG 11.3.5.3).

    Parameters
    ----------
    turned : bool
        The picture is turned by a quarter against the image.
    """
    spacing = spacing_mm(header, frame)
    ratio = header.numbers(tags.PIXEL_ASPECT_RATIO)
    if spacing:
        per_metre = [min(round(1000 / distance), 0x7FFFFFFF) for distance in spacing]
        yield _phys(per_metre, unit=1, turned=turned)
    elif len(ratio) == 2 and ratio[0] != ratio[1] and all(1 <= value < 1 << 31 for value in ratio):
        # (0028,0034) is the height \\ width of a pixel; pHYs counts pixels, so the longer side has the fewer.
        yield _phys([int(ratio[1]), int(ratio[0])], unit=0, turned=turned)


def _phys(down_and_across: list[int], *, unit: int, turned: bool) -> Chunk:
    """The chunk for so many pixels downwards and across; it names the horizontal count first."""
    horizontal, vertical = down_and_across if turned else reversed(down_and_across)
    return Chunk(b"pHYs", struct.pack(">IIB", horizontal, vertical, unit))


def color_space(header: Header) -> Iterator[Chunk]:
    """An iCCP chunk with the object's ICC profile, or sRGB where it says it is that; nothing where it says nothing.

    References
    ----------
    PS3.3 C.11.15 ICC Profile; C.8.12.5 Optical Path for whole-slide images; PNG 11.3.3.3, 11.3.3.5
    """
    path = header.first_item(tags.OPTICAL_PATHS)
    profile = header.raw(tags.ICC_PROFILE) or (path.raw(tags.ICC_PROFILE) if path else b"")
    if _is_rgb_profile(profile):
        yield Chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
    elif header.text(tags.COLOR_SPACE) == "SRGB":
        yield Chunk(b"sRGB", b"\0")


def _is_rgb_profile(profile: bytes) -> bool:
    """Whether the bytes are a whole ICC profile for RGB (ICC.1 7.2)."""
    whole = len(profile) > 128 and 128 < int.from_bytes(profile[:4]) <= len(profile)
    return whole and profile[36:40] == b"acsp" and profile[16:20] == b"RGB "
