"""The drawing of one instance's pictures, in a process of its own that a hostile file may end."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.keeping.kept import flush_folder
from appliance.keeping.room import leave_room
from appliance.keeping.spool import NO_ROOM
from converter.clock import Clock, TooSlow
from converter.errors import ConversionError, NotAnImage
from converter.instance import open_instance
from converter.limits import LIMITS, MIB
from converter.options import Options
from converter.results import Failure, Picture
from converter.workers import guard
from converter.writing import pictures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from converter.results import Result

#: What a later try may find better: room, permission, a disk that answers.
NOT_ITS_FAULT = NO_ROOM | {errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE, errno.ENFILE}

TOO_LARGE = "given up: it is too large for the memory of this machine"

#: Drawing yields to receiving: an instance that waits for its picture is kept already. Where the machine's memory is
#: at its end the kernel ends a process that draws (proc_pid_oom_score_adj(5)), and neither the service nor Samba.
_NICENESS = 10
_FIRST_TO_GO = "1000"

#: All that draw share half of the machine's memory. A radiograph of 22 million pixels fits into the least that one may
#: add: 11.4 bytes a pixel, measured on 7000 x 7000 of 16 bits.
_LEAST_MEMORY_MIB = 256


@dataclass(frozen=True)
class Drawing:
    """What came of an instance: its pictures, and what is wrong with the frames that have none."""

    pictures: tuple[Picture, ...] = ()
    reason: str = ""
    is_image: bool = True


def draw(source: Path, folder: Path, stem: str) -> Drawing:
    """
    Draw every frame of a kept file; a frame that cannot be drawn is told, and the others are made.

    The pictures are flushed to the disk: what the index calls done outlives a power cut.

    Raises
    ------
    OSError
        The disk is full, or the shared folder cannot be written: it is not the instance's fault.
    """
    try:
        results = tuple(_results(source, folder, stem))
    except OSError as error:
        if error.errno in NOT_ITS_FAULT:
            raise
        if error.errno == errno.ENOMEM:
            return Drawing(reason=TOO_LARGE)
        return Drawing(reason=f"its pictures cannot be written: {error.strerror}")
    except NotAnImage:
        return Drawing(is_image=False)
    except ConversionError as error:
        return Drawing(reason=_reason(error.frame, error.tag_text, error.reason))
    except TooSlow:
        return Drawing(reason="given up: it took too long")
    except MemoryError:
        return Drawing(reason=TOO_LARGE)
    drawn = tuple(result for result in results if isinstance(result, Picture))
    _flush(drawn, folder)
    failures = (_reason(r.frame, r.tag, r.reason) for r in results if isinstance(r, Failure))
    return Drawing(drawn, next(failures, ""))


def memory_mib(processes: int) -> int:
    """How much memory each of so many processes may add, on this machine."""
    half_mib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2 // MIB
    return min(LIMITS.worker_memory_mib, max(_LEAST_MEMORY_MIB, half_mib // processes))


def prepare_process(allowed_mib: int) -> None:
    """Bound this process, let it yield to others, and let it not outlive the service."""
    guard(allowed_mib)
    os.nice(_NICENESS)
    with suppress(OSError):  # where no process may say so, as in some containers
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)


def _results(source: Path, folder: Path, stem: str) -> Iterator[Result]:
    with Clock(LIMITS.file_seconds) as clock:
        leave_room(source.parent)
        instance = open_instance(source)
        numbers = range(1, instance.frame_count + 1)
        for result in pictures(instance, folder, stem, Options(replace=True), numbers):
            yield result
            leave_room(source.parent)
            clock.restart()


def _flush(drawn: tuple[Picture, ...], folder: Path) -> None:
    for picture in drawn:
        with picture.path.open("rb") as file:
            os.fsync(file.fileno())
    if drawn:
        flush_folder(folder)


def _reason(frame: int | None, tag: str | None, reason: str) -> str:
    where = (f"frame {frame}" if frame else "", tag or "")
    return ": ".join(part for part in (*where, reason) if part)
