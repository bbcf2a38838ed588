"""What a drawing process tells the service: of plain values, so that the service loads nothing that draws."""

from __future__ import annotations

from dataclasses import dataclass
from traceback import format_exception
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """One picture that was written.

    Attributes
    ----------
    frame
        Counted from 1.
    rows, columns
        Its size in pixels.
    window_center, window_width, window_function
        What was shown of the values, as `converter.gray.window.Window` has it; None and empty where there was none.
    """

    path: Path
    frame: int
    rows: int
    columns: int
    window_center: float | None = None
    window_width: float | None = None
    window_function: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """
    What came of an instance: its pictures, and what is wrong with the frames that have none.

    One that `stood_still` is better drawn again: the disk did not answer, or the machine had no time. `fault` is the
    traceback of a fault of the program.
    """

    pictures: tuple[DrawnPicture, ...] = ()
    reason: str = ""
    is_image: bool = True
    stood_still: bool = False
    fault: str = ""

    @classmethod
    def failed(cls, error: Exception) -> Drawing:
        """What a fault of the program leaves of an instance."""
        return cls(reason=f"a fault of the program ({type(error).__name__})", fault="".join(format_exception(error)))
