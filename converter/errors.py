"""What can go wrong with one file: where, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import PurePath


class ConversionError(Exception):
    """A file, frame or element that cannot be converted.

    Parameters
    ----------
    reason : str
        What is wrong and, where something can be done, what to do.
    file : str, optional
        The file, as its source names it.
    frame : int, optional
        Frame number, counted from 1 as in (0008,1160) Referenced Frame Number.
    tag : int, optional
        The data element that is wrong, as `0xggggeeee`.
    """

    def __init__(
        self, reason: str, *, file: str | PurePath | None = None, frame: int | None = None, tag: int | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.file = None if file is None else str(file)
        self.frame = frame
        self.tag = None if tag is None else int(tag)

    def __str__(self) -> str:
        frame = None if self.frame is None else f"frame {self.frame}"
        return ": ".join(part for part in (self.file, frame, self.tag_text, self.reason) if part)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (type(self), self.reason, self.file, self.frame, self.tag)

    @property
    def tag_text(self) -> str | None:
        """The tag as people write it, `(0028,0010)`."""
        return None if self.tag is None else f"({self.tag >> 16:04X},{self.tag & 0xFFFF:04X})"

    def at(self, *, file: str | PurePath | None = None, frame: int | None = None) -> None:
        """Note the file and frame where they were not known yet."""
        self.file = self.file or (None if file is None else str(file))
        self.frame = self.frame or frame


class NotDicomError(ConversionError):
    """The file is no DICOM file; a folder may hold such files."""


class NotAnImage(ConversionError):
    """A DICOM object that holds no image: a waveform, a plan, a report."""


class TooLarge(ConversionError):
    """More pixels, frames, bytes or nesting than `converter.limits` allows."""


def _rebuilt(
    kind: type[ConversionError], reason: str, file: str | None, frame: int | None, tag: int | None
) -> ConversionError:
    return kind(reason, file=file, frame=frame, tag=tag)
