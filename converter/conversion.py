"""One file, from its bytes to its pictures; what goes wrong with it is a result."""

from __future__ import annotations

import errno
import os
from time import perf_counter
from typing import TYPE_CHECKING

from converter.dicom import part10
from converter.disk import write
from converter.errors import ConversionError, NotAnImage, NotDicomError
from converter.instance import Instance
from converter.layout import names_of
from converter.limits import LIMITS
from converter.results import NO_DICOM, NO_IMAGE, THERE_ALREADY, Document, Failure, Skipped, failure
from converter.without_pixels import no_pixels
from converter.writing import pictures, stays

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from converter.dicom.part10 import DicomFile
    from converter.options import Options
    from converter.results import Result
    from converter.sources import SourceFile
    from converter.target import Target

#: What a system says of one name, and not of the folder for all: too long, no name, or taken by a file or folder.
_OF_A_NAME = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.ENOTDIR, errno.EISDIR, errno.EEXIST})


def convert_file(file: SourceFile, target: Target, options: Options) -> Iterator[Result]:
    """Convert one file.

    Yields
    ------
    Picture, Document, Failure or Skipped
        Also for errors nobody foresaw, so that one file never stops a batch.

    Raises
    ------
    OSError
        Where the target cannot be written; a name that cannot be is a failure of the file.
    """
    try:
        yield from _converted(file, target, options)
    except ConversionError as error:
        if file.part == 0:  # what is wrong with a whole file is told by the worker with its first frames
            yield _told(error, file)
    except MemoryError:
        yield _needs_more(file)
    except OSError as error:
        yield _of_the_system(error, file, target)
    except Exception as error:  # noqa: BLE001 - a fault of ours in one file must not cost the others
        yield Failure(file.name, f"unexpected {type(error).__name__}: {error}; please report this")


def _needs_more(file: SourceFile) -> Failure:
    return Failure(file.name, f"it needs more than the {LIMITS.worker_memory_mib} MiB of memory that are allowed")


def _of_the_system(error: OSError, file: SourceFile, target: Target) -> Failure:
    """The failure of one file; what would stop all is raised on."""
    if error.errno == errno.ENOMEM:
        return _needs_more(file)
    if error.errno not in _OF_A_NAME:
        raise error
    target.folder.mkdir(parents=True, exist_ok=True)  # where this fails too, no file is to blame
    name = os.fspath(error.filename2 or error.filename or "")  # of two the one that was to be made
    return Failure(file.name, f"its picture cannot have its name ({error.strerror}: {name})")


def _told(error: ConversionError, file: SourceFile) -> Failure | Skipped:
    """What a batch says of an error: other files than images are no failure, but where they were asked for by name."""
    if isinstance(error, NotAnImage):
        return Skipped(file.name, error.reason, NO_IMAGE)
    if isinstance(error, NotDicomError) and not file.named:
        return Skipped(file.name, error.reason, NO_DICOM)
    return failure(error, file.name)


def _converted(file: SourceFile, target: Target, options: Options) -> Iterator[Result]:
    opened = part10.read(file.read(), file.name)
    folder, stem = target.place(names_of(opened.header), file.name)
    if opened.pixels is None:
        if file.part == 0:
            yield from _document(opened, folder, stem, options)
        return
    instance = Instance(opened)
    wanted = options.frames.of(instance.frame_count)
    if not wanted:
        raise ConversionError(f"the object has {instance.frame_count} frames, none of those asked for")
    share = wanted[len(wanted) * file.part // file.parts : len(wanted) * (file.part + 1) // file.parts]
    yield from pictures(instance, folder, stem, options, share)


def _document(file: DicomFile, folder: Path, stem: str, options: Options) -> Iterator[Result]:
    """Write a report or an encapsulated document; other objects without pixels are none of our business."""
    from converter.documents.document import document  # most runs meet none, and it costs 12 ms

    started = perf_counter()
    try:
        made = document(file.header)
    except ConversionError as error:
        error.at(file=file.name)
        raise
    if made is None:
        raise no_pixels(file)
    suffix, content = made
    path = folder / (stem + suffix)
    if stays(path, options):
        yield Skipped(file.name, f"its document is there already: {path}", THERE_ALREADY)
        return
    write(path, [content])
    uid = names_of(file.header).sop_instance_uid
    yield Document(file.name, uid, path, (perf_counter() - started) * 1000)
