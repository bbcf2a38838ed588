"""Where DICOM comes from: files, folders, DICOMDIRs, ZIP archives, patterns, standard input."""

from __future__ import annotations

import glob
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from converter.dicom import part10, tags
from converter.errors import ConversionError, TooLarge
from converter.limits import LIMITS, MIB
from converter.results import Failure, failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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
        return zip_member(self.path, self.member) if self.member else self.path


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
    try:
        status = os.stat(source)  # noqa: PTH116 - a million files: os is three times as fast as pathlib
    except (FileNotFoundError, NotADirectoryError):
        yield from _matching(source)
        return
    yield from _in_folder(source) if stat.S_ISDIR(status.st_mode) else _in_file(source, status.st_size, named=True)


def _matching(pattern: str) -> Iterator[Found]:
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute patterns, which Path.glob refuses
    if not found:
        raise ConversionError("there is no such file or folder", file=pattern)
    for path in found:
        yield from _files_of(path)


def _in_folder(folder: str) -> Iterator[Found]:
    """Files below a folder; links to folders are not followed, a DICOMDIR's files are found anyway."""
    below = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda found: found.name):
            if entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
            elif entry.name != "DICOMDIR" and entry.is_file():
                yield from _in_file(entry.path, entry.stat().st_size, named=False)
    for path in below:
        yield from _tolerant(_in_folder, path)


def _in_file(path: str, size: int, *, named: bool) -> Iterator[Found]:
    name = os.path.basename(path)  # noqa: PTH119 - as above
    if name.lower().endswith(".zip"):
        yield from _tolerant(_in_zip, path)
    elif name.upper() == "DICOMDIR":
        yield from _tolerant(_in_directory, path)
    else:
        yield SourceFile(path, size, named=named)


def _in_zip(path: str) -> Iterator[Found]:
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise ConversionError(f"the ZIP archive cannot be read ({error})", file=path) from error
    for info in members:
        if not info.filename.endswith(("/DICOMDIR", "DICOMDIR")):
            yield SourceFile(path, info.file_size, member=info.filename)


def zip_member(path: str, member: str) -> bytes:
    """The bytes of an archive's member.

    Raises
    ------
    TooLarge
        Where it unpacks to more than `LIMITS` allow, whatever the archive says of its size.
    ConversionError
        Where it is damaged or locked with a password.
    """
    import zipfile
    import zlib

    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
            packed = archive.getinfo(member).compress_size
            allowed = min(LIMITS.inflated_bytes, max(LIMITS.inflated_floor_bytes, packed * LIMITS.inflated_ratio))
            content = stream.read(allowed + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError, KeyError, EOFError) as error:
        raise ConversionError(f"the ZIP member cannot be unpacked ({error})", file=f"{path}!{member}") from error
    if len(content) > allowed:
        raise TooLarge(f"it unpacks to more than {allowed // MIB} MiB", file=f"{path}!{member}")
    return content


def _in_directory(path: str) -> Iterator[Found]:
    """Files that a DICOMDIR names, in its order; a name cannot lead out of the DICOMDIR's folder (PS3.10 8.2)."""
    root = Path(path).resolve().parent
    for record in part10.read(path).header.items(tags.DIRECTORY_RECORDS):
        parts = record.texts(tags.REFERENCED_FILE_ID)
        if parts:
            file = _named(root, parts)
            yield SourceFile(str(file), file.stat().st_size if file.is_file() else 0)


def _named(root: Path, parts: tuple[str, ...]) -> Path:
    if any(part in ("", ".", "..") or "/" in part for part in parts):
        raise ConversionError(f"the DICOMDIR names a file that is not below it: {parts}", file=root / "DICOMDIR")
    exact = root.joinpath(*parts)
    lower = root.joinpath(*(part.lower() for part in parts))
    return lower if not exact.exists() and lower.exists() else exact
