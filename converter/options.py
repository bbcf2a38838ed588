"""What a conversion is asked to make."""

from __future__ import annotations

from dataclasses import dataclass

from converter.errors import ConversionError
from converter.gray.request import NONE, OWN, WindowRequest


@dataclass(frozen=True, slots=True)
class FrameRanges:
    """Frame numbers, counted from 1; all frames where no range is given."""

    ranges: tuple[tuple[int, int], ...] = ()

    def of(self, count: int) -> tuple[int, ...]:
        """The numbers that an object of so many frames has, in order."""
        if not self.ranges:
            return tuple(range(1, count + 1))
        wanted = {n for low, high in self.ranges for n in range(low, min(high, count) + 1)}
        return tuple(sorted(wanted))


def frame_ranges(text: str) -> FrameRanges:
    """Ranges as people write them: `1-10,20` or `5-`.

    Raises
    ------
    ConversionError
        Where a part is no range.
    """
    return FrameRanges(tuple(_range(part.strip(), text) for part in text.split(",")))


def _range(part: str, text: str) -> tuple[int, int]:
    low, dash, high = part.partition("-")
    if not low.isdecimal() or (high and not high.isdecimal()) or int(low) < 1 or (high and int(high) < int(low)):
        raise ConversionError(f"{text!r} are no frames; write 1-10,20")
    return int(low), int(high) if high else ((1 << 31) if dash else int(low))


@dataclass(frozen=True, slots=True)
class Options:
    """What a conversion is asked to make; the defaults make one PNG a frame, with the object's own window.

    Attributes
    ----------
    bits : int
        8 or 16 bits a sample.
    overlays : bool
        Draw overlay planes (PS3.3 C.9.2) and a presentation state's graphics.
    small : bool
        Spend more time for smaller files.
    cine : str
        `"apng"` or `"webp"`: one animation an object in place of pictures.
    sheet : bool
        One contact sheet an object in place of pictures.
    square : bool
        Resample pixels that are not square; they are declared otherwise.
    identified : bool
        Write the patient's name and ID into the picture's text.
    replace : bool
        Make pictures again that are there.
    presentation : str
        Path of a presentation state; empty for none.
    untold_since_ns : int
        Make pictures again that are younger than this time (since 1970): a process wrote them that died before it told
        of them. 0 where none did.
    """

    window: WindowRequest = OWN
    bits: int = 8
    frames: FrameRanges = FrameRanges()
    overlays: bool = False
    small: bool = False
    cine: str = ""
    sheet: bool = False
    square: bool = False
    identified: bool = False
    replace: bool = False
    presentation: str = ""
    untold_since_ns: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be made together."""
        if (self.sheet or self.cine == "webp") and (self.bits == 16 or self.window.kind == NONE):
            raise ConversionError("a contact sheet and WebP have 8 bits; 16 bits and stored values need PNG or APNG")
