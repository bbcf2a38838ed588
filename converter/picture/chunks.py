"""What a PNG says of itself: physical size, colour space, and what it shows but never who."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

from converter.dicom import tags
from converter.picture.png import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from converter.dicom.header import Header
    from converter.picture.pixel_size import PixelSize

NOT_FOR_DIAGNOSIS = "not for diagnosis"


def text(keyword: str, value: str) -> Chunk:
    """A Latin-1 text chunk, or an international one where the value needs it (PNG 11.3.4)."""
    key = keyword.encode("latin-1", "replace")[:79]
    try:
        return Chunk(b"tEXt", key + b"\0" + value.encode("latin-1"))
    except UnicodeEncodeError:
        return Chunk(b"iTXt", key + b"\0\0\0\0\0" + value.encode("utf-8", "replace"))


@lru_cache(maxsize=64)
def physical(size: PixelSize) -> Chunk | None:
    """pHYs: pixels a metre by the pixel's size, or its aspect ratio without a unit (PNG 11.3.5.3)."""
    if size.in_mm:
        return _phys(round(1000 / size.width), round(1000 / size.height), unit=1)
    # pHYs counts pixels, so the longer side has the fewer.
    return None if size.square else _phys(round(size.height), round(size.width), unit=0)


def _phys(across: int, down: int, *, unit: int) -> Chunk:
    return Chunk(b"pHYs", struct.pack(">IIB", *(max(1, min(count, 0x7FFFFFFF)) for count in (across, down)), unit))


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
