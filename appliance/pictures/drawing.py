"""The drawing of one instance's pictures: what a drawing process does."""

from __future__ import annotations

import errno
from time import process_time
from typing import TYPE_CHECKING

from appliance.disk import flush
from appliance.keeping.room import leave_files, leave_room
from appliance.keeping.spool import NO_ROOM
from appliance.pictures.drawn import Drawing, DrawnPicture
from converter.clock import Clock, StoodStill, TooSlow
from converter.dicom import tags
from converter.errors import ConversionError, NotAnImage, TooLarge
from converter.instance import open_instance
from converter.limits import LIMITS
from converter.options import Options
from converter.results import Failure, Picture
from converter.writing import pictures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from converter.instance import Instance
    from converter.results import Result

#: What a later try may find better: room, permission, a disk that answers.
NOT_ITS_FAULT = NO_ROOM | {errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE, errno.ENFILE}

TOO_LARGE = "given up: it is too large for the memory of this machine"

#: What one instance may ask for: a file of 125 kB can hold a million frames. Functional MR of 300 volumes has 12,000.
MOST_FRAMES = 20_000
#: 20,000 frames of 512 x 512 in JPEG 2000 take nine minutes, measured; a slow machine may take three times as long.
MOST_SECONDS = 30 * 60
#: So many frames may each take longer than one may, before the rest is not tried.
_MOST_SLOW = 3


def draw(source: Path, folder: Path, stem: str) -> Drawing:
    """
    Draw every frame of a kept file; a frame that cannot be drawn is told, and the others are made.

    What was made stays where the rest is given up. The pictures are flushed to the disk: what the index calls done
    outlives a power cut.

    Raises
    ------
    OSError
        The disk is full, or the shared folder cannot be written: it is not the instance's fault.
    """
    made: list[Result] = []
    try:
        reason, stood_still = _draw_into(made, source, folder, stem)
    except NotAnImage:
        return Drawing(is_image=False)
    except ConversionError as error:
        return Drawing(reason=_reason(error.frame, error.tag_text, error.reason))
    drawn = tuple(_drawn(result) for result in made if isinstance(result, Picture))
    if drawn:
        flush(*(picture.path for picture in drawn), folder)
    failures = (_reason(r.frame, r.tag, r.reason) for r in made if isinstance(r, Failure))
    return Drawing(drawn, reason or next(failures, ""), stood_still=stood_still)


def _draw_into(made: list[Result], source: Path, folder: Path, stem: str) -> tuple[str, bool]:
    """Why the rest was given up, if it was, and whether it stood still."""
    try:
        for result in _results(source, folder, stem):
            made.append(result)  # noqa: PERF402 - what was made before an error stays
    except OSError as error:
        return _of_the_system(error), False
    except MemoryError:
        return TOO_LARGE, False
    except TooSlow as limit:
        return f"given up after {len(made)} of its frames: it took longer than {limit}", False
    except StoodStill as limit:
        return f"given up after {len(made)} of its frames: nothing happened for {limit}", True
    return "", False


def _of_the_system(error: OSError) -> str:
    if error.errno in NOT_ITS_FAULT:
        raise error
    return TOO_LARGE if error.errno == errno.ENOMEM else f"its pictures cannot be written: {error.strerror}"


def _results(source: Path, folder: Path, stem: str) -> Iterator[Result]:
    begun = process_time()
    with Clock(LIMITS.file_seconds) as clock:
        instance = _opened(source)
        for result in _of_frames(instance, folder, stem):
            yield result
            if process_time() - begun > MOST_SECONDS:
                raise TooSlow(f"{MOST_SECONDS // 60} minutes of processor time")
            leave_room(source.parent)
            leave_files(source.parent)
            clock.restart()


def _opened(source: Path) -> Instance:
    leave_room(source.parent)
    leave_files(source.parent)
    instance = open_instance(source)
    if instance.frame_count > MOST_FRAMES:
        most = f"an appliance draws pictures of {MOST_FRAMES:,} at most"
        raise TooLarge(f"it has {instance.frame_count:,} frames; {most}", tag=tags.NUMBER_OF_FRAMES)
    return instance


def _of_frames(instance: Instance, folder: Path, stem: str) -> Iterator[Result]:
    """One result a frame, and one for all that are missing; a frame that takes too long is a failure as well."""
    options, slow = Options(replace=True), 0
    for number in range(1, instance.frames_present + 1):
        try:
            yield from pictures(instance, folder, stem, options, (number,))
        except TooSlow as limit:
            slow += 1
            if slow == _MOST_SLOW:
                raise
            yield Failure(instance.file.name, f"it took longer than {limit}", number)
    missing = range(instance.frames_present + 1, instance.frame_count + 1)
    yield from pictures(instance, folder, stem, options, missing)


def _drawn(picture: Picture) -> DrawnPicture:
    size = picture.path, picture.frame, picture.rows, picture.columns
    if picture.window is None:
        return DrawnPicture(*size)
    return DrawnPicture(*size, float(picture.window.center), float(picture.window.width), picture.window.function)


def _reason(frame: int | None, tag: str | None, reason: str) -> str:
    where = (f"frame {frame}" if frame else "", tag or "")
    return ": ".join(part for part in (*where, reason) if part)
