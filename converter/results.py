"""What came of a file: pictures, a document, a failure, or nothing to convert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from converter.errors import ConversionError
    from converter.gray.window import Window


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture that was written.

    Attributes
    ----------
    frame : int
        Counted from 1; of an animation or sheet, the first frame.
    window : Window or None
        What was shown of the values; None for colour, stored values and VOI LUTs.
    window_source : str
        See `converter.rendering.Rendering`.
    milliseconds : float
        Wall time of this picture.
    frames : int
        How many frames it shows: 1 but for an animation or sheet.
    """

    source: str
    sop_instance_uid: str
    frame: int
    path: Path
    window: Window | None
    window_source: str
    bits: int
    rows: int
    columns: int
    milliseconds: float
    warnings: tuple[str, ...] = ()
    frames: int = 1


@dataclass(frozen=True, slots=True)
class Document:
    """A report that was written, as HTML or PDF."""

    source: str
    sop_instance_uid: str
    path: Path
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A file or frame that could not be converted."""

    source: str
    reason: str
    frame: int | None = None
    tag: str | None = None


THERE_ALREADY, NO_IMAGE, NO_DICOM = "there already", "no image", "no DICOM file"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or frame that needed no work.

    Attributes
    ----------
    why : str
        In short: `"there already"`, `"no image"` or `"no DICOM file"`.
    """

    source: str
    reason: str
    why: str
    frame: int | None = None


Result = Picture | Document | Failure | Skipped


def failure(error: ConversionError, source: str) -> Failure:
    """The failure that an error tells of."""
    return Failure(error.file or source, error.reason, error.frame, error.tag_text)
