"""Where DICOM comes from: files, folders, DICOMDIRs, ZIP archives, patterns, standard input."""

from __future__ import annotations

import glob
import os
import stat
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from converter.dicom import part10, tags
from converter.errors import ConversionError, TooLarge
from converter.limits import LIMITS, MIB
from converter.results import Failure, failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from converter.dicom.header import Header

STDIN = "-"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file to convert.

    Attributes
    ----------
    member : str
        Name within the ZIP archive at `path`; empty for a file of its own.
    content : bytes or None
        What standard input held.
    part, parts : int
        Which share of a large object's frames is meant.
    named : bool
        Whether the user asked for this very file: then it is a failure that it is no DICOM file.
    """

    path: str
    size: int = 0
    member: str = ""
    content: bytes | None = None
    part: int = 0
    parts: int = 1
    named: bool = False

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.path}!{self.member}" if self.member else self.path

    def read(self) -> str | bytes:
        """The path, or the bytes of what is no file of its own.

        Raises
        ------
        ConversionError
            Where the archive is damaged or the member too large.
        """
        if self.content is not None:
            return self.content
        if not self.member:
            return self.path
        from converter import archive  # as below

        return archive.content(self.path, self.member)


Found = SourceFile | Failure


def source_files(sources: Iterable[str | os.PathLike[str]]) -> Iterator[Found]:
    """The files that sources stand for, in order.

    Parameters
    ----------
    sources : iterable of path
        A file, a folder (searched through), a ZIP archive, a DICOMDIR (the files it names), a pattern such as
        `ct/**/*.dcm`, or `-` for one object on standard input.

    Yields
    ------
    SourceFile or Failure
        A failure for a source that does not exist or cannot be read.
    """
    for source in sources:
        yield from _tolerant(_files_of, os.fspath(source))


def _tolerant(find: Callable[[str], Iterator[Found]], source: str) -> Iterator[Found]:
    """What is found, and a failure in place of what cannot be read, so that the others are converted."""
    try:
        yield from find(source)
    except ConversionError as error:
        yield failure(error, source)
    except OSError as error:
        yield Failure(source, f"it cannot be read ({error.strerror or error})")


def _files_of(source: str) -> Iterator[Found]:
    if source == STDIN:
        content = sys.stdin.buffer.read(LIMITS.inflated_bytes + 1)
        if len(content) > LIMITS.inflated_bytes:
            raise TooLarge(f"more than {LIMITS.inflated_bytes // MIB} MiB come from standard input", file=source)
        yield SourceFile("<standard input>", content=content, named=True)
        return
    yield from (_existing if _is_there(source) else _matching)(source)


def _is_there(source: str) -> bool:
    try:
        os.lstat(source)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    return True


def _matching(pattern: str) -> Iterator[Found]:
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute patterns, which Path.glob refuses
    if not found:
        raise ConversionError("there is no such file or folder", file=pattern)
    for path in found:
        yield from _tolerant(_existing, path)


def _existing(source: str) -> Iterator[Found]:
    """What a file or folder stands for; one that a pattern named, or a link to nothing, may be gone."""
    status = os.stat(source)  # noqa: PTH116 - a million files: os is three times as fast as pathlib
    yield from _in_folder(source) if stat.S_ISDIR(status.st_mode) else _in_file(source, status.st_size, named=True)


def _in_folder(folder: str) -> Iterator[Found]:
    """Files below a folder; links to folders are not followed, a DICOMDIR's files are found anyway."""
    waiting = [folder]
    while waiting:
        below: list[str] = []
        yield from _tolerant(partial(_of_folder, below), waiting.pop())
        waiting += reversed(below)


def _of_folder(below: list[str], folder: str) -> Iterator[Found]:
    """The files of a folder itself; the folders in it are noted."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda found: found.name):
            if entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
            elif entry.name != "DICOMDIR":
                yield from _tolerant(partial(_of_entry, entry), entry.path)


def _of_entry(entry: os.DirEntry[str], path: str) -> Iterator[Found]:
    """A regular file, also behind a link; what a link to nothing would have been nobody knows."""
    try:
        status = entry.stat()
    except FileNotFoundError:
        return
    if stat.S_ISREG(status.st_mode):
        yield from _in_file(path, status.st_size, named=False)


def _in_file(path: str, size: int, *, named: bool) -> Iterator[Found]:
    name = os.path.basename(path)  # noqa: PTH119 - as above
    if name.lower().endswith(".zip"):
        yield from _tolerant(_in_zip, path)
    elif name.upper() == "DICOMDIR":
        yield from _tolerant(_in_directory, path)
    else:
        yield SourceFile(path, size, named=named)


def _in_zip(path: str) -> Iterator[Found]:
    from converter import archive  # zipfile and what it unpacks with cost 10 ms, and most runs meet no archive

    seen: set[str] = set()
    for member in archive.members(path):
        if member.name in seen:
            yield Failure(
                f"{path}!{member.name}", "the archive holds this name again; only the last file of it is read"
            )
        elif not member.name.endswith("DICOMDIR"):
            yield SourceFile(path, member.size, member=member.name)
        seen.add(member.name)


def _in_directory(path: str) -> Iterator[Found]:
    """Files that a DICOMDIR names, in its order; a name cannot lead out of the DICOMDIR's folder (PS3.10 8.2)."""
    root = Path(path).resolve().parent
    for record in part10.read(path).header.items(tags.DIRECTORY_RECORDS):
        yield from _tolerant(partial(_of_record, record, root), path)


def _of_record(record: Header, root: Path, path: str) -> Iterator[Found]:
    parts = record.texts(tags.REFERENCED_FILE_ID)
    if not parts:
        return
    if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
        raise ConversionError(f"the DICOMDIR names a file that is not below it: {parts}", file=path)
    file = _on_disk(root, parts)
    yield from _tolerant(_named_by_record, str(file))


def _on_disk(root: Path, parts: tuple[str, ...]) -> Path:
    """The file as it is written on the disk: in capitals, as in the DICOMDIR, or in small letters."""
    exact = root.joinpath(*parts)
    lower = root.joinpath(*(part.lower() for part in parts))
    return lower if not exact.exists() and lower.exists() else exact


def _named_by_record(path: str) -> Iterator[Found]:
    file = Path(path)
    yield SourceFile(path, file.stat().st_size if file.is_file() else 0)
