"""A person's folder in the inbox: what lies there, and where goes what is not filed."""

from __future__ import annotations

import os
import re
import stat
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from uuid import uuid4

from appliance.inbox.held import state_of
from appliance.keeping.room import leave_room

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from appliance.inbox.held import State

NOT_FILED = "not filed"
REPORT = "report "
TEXT = ".txt"
#: So many files and folders are looked at in one round; a whole-slide study or a year of a small hospital is less.
MOST = 100_000
#: Reports that lie there; older ones go.
MOST_REPORTS = 100
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NAME_BYTES = 200
_REPORT_NAME = re.compile(rf"{REPORT}\d{{4}}-\d\d-\d\d \d\d\.\d\d\.\d\d{re.escape(TEXT)}", re.ASCII)
#: As `Report` begins.
_REPORT_STARTS = b"\xef\xbb\xbfImport of "


class PersonsFolder:
    """
    One person's folder, by its descriptor; made by `opened`.

    Every name counts from the folder on, as it does for Samba, so that a path may be as long as Samba lets it be. No
    link is followed where a name ends; those who may write here cannot make one.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def contents(self) -> tuple[dict[str, State], set[str]]:
        """What lies there to be taken, with its state, and the folders; as much as is looked at in one round."""
        found: dict[str, State] = {}
        folders: set[str] = set()
        left = [""]
        for _ in range(MOST):
            if not left or len(found) >= MOST:
                break
            folder = left.pop()
            for name, status in islice(self._listed(folder), MOST - len(found) - len(left)):
                place = f"{folder}/{name}" if folder else name
                if stat.S_ISDIR(status.st_mode):
                    left.append(place)
                    folders.add(place)
                else:
                    found[place] = state_of(status)
        return found, folders

    def set_aside(self, name: str, batch: str) -> str:
        """Move a file below `not filed`, to the place that it had, or to one of its own; the new name."""
        self._clear_place()
        own = uuid4().hex[:8]
        short = f"{own} {os.fsdecode(os.fsencode(PurePosixPath(name).name)[-_NAME_BYTES:])}"
        with suppress(OSError):  # something has that place already, or the name becomes too long
            return self._moved(name, f"{NOT_FILED}/{batch}/{name}")
        with suppress(OSError):  # the batch's name is no folder
            return self._moved(name, f"{NOT_FILED}/{batch}/{short}")
        return self._moved(name, f"{NOT_FILED}/{batch} {own}/{short}")

    def append(self, name: str, text: str) -> None:
        """Write at the end of a text, which is begun where there is none."""
        new = as_text(text)
        leave_room(self.descriptor, len(new))
        self._make_folders(name)
        descriptor = os.open(
            name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600, dir_fd=self.descriptor
        )
        with os.fdopen(descriptor, "ab") as file:
            file.write((b"" if file.tell() else b"\xef\xbb\xbf") + new)

    def write(self, name: str, text: str) -> None:
        """Write a text whole."""
        leave_room(self.descriptor, len(text))
        new = f".{uuid4().hex}"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self.descriptor)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(b"\xef\xbb\xbf" + as_text(text))
            os.rename(new, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except OSError:
            os.unlink(new, dir_fd=self.descriptor)
            raise

    def remove_empty(self, folders: Iterable[str]) -> None:
        """Remove folders as far as nothing is in them."""
        for folder in sorted(folders, key=len, reverse=True):
            with suppress(OSError):
                os.rmdir(folder, dir_fd=self.descriptor)

    def tidy(self) -> None:
        """Remove the oldest of many reports; what only has the name of one stays."""
        with os.scandir(self.descriptor) as entries:
            reports = sorted(entry.name for entry in entries if is_report(entry.name))
        for name in reports[:-MOST_REPORTS]:
            with suppress(OSError):
                if self._start(name).startswith(_REPORT_STARTS):
                    os.unlink(name, dir_fd=self.descriptor)

    def remove_aside(self, batch: str) -> None:
        """Remove a folder below `not filed` with all that is in it, however deep that is."""
        folders = [f"{NOT_FILED}/{batch}"]
        for folder in folders:
            for name, status in self._listed(folder):
                if stat.S_ISDIR(status.st_mode):
                    folders.append(f"{folder}/{name}")
                else:
                    os.unlink(f"{folder}/{name}", dir_fd=self.descriptor)
        for folder in reversed(folders):
            os.rmdir(folder, dir_fd=self.descriptor)

    def _start(self, name: str) -> bytes:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self.descriptor)
        try:
            return os.read(descriptor, len(_REPORT_STARTS))
        finally:
            os.close(descriptor)

    def _listed(self, folder: str) -> Iterator[tuple[str, os.stat_result]]:
        """Entries of a folder; none of one that cannot be opened, as one that is gone again."""
        with suppress(OSError), self._folder(folder) as descriptor, os.scandir(descriptor) as entries:
            for entry in entries:
                if not folder and is_told(entry):
                    continue
                with suppress(FileNotFoundError):
                    yield entry.name, entry.stat(follow_symlinks=False)

    @contextmanager
    def _folder(self, name: str) -> Iterator[int]:
        descriptor = os.open(name or ".", _OPEN, dir_fd=self.descriptor)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _clear_place(self) -> None:
        """Give a file that has the name of the folder another one: then it is taken like others."""
        with suppress(FileNotFoundError):
            if not stat.S_ISDIR(os.stat(NOT_FILED, dir_fd=self.descriptor, follow_symlinks=False).st_mode):
                other = f"{uuid4().hex[:8]} {NOT_FILED}"
                os.rename(NOT_FILED, other, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def _moved(self, name: str, wanted: str) -> str:
        self._make_folders(wanted)
        if _exists(wanted, self.descriptor):
            raise FileExistsError(wanted)
        os.rename(name, wanted, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        return wanted

    def _make_folders(self, name: str) -> None:
        for parent in reversed(PurePosixPath(name).parents[:-1]):
            with suppress(FileExistsError):
                os.mkdir(parent, 0o700, dir_fd=self.descriptor)


@contextmanager
def opened(path: Path) -> Iterator[PersonsFolder]:
    """The folder at a path, which is no link."""
    descriptor = os.open(path, _OPEN)
    try:
        yield PersonsFolder(descriptor)
    finally:
        os.close(descriptor)


def is_report(name: str) -> bool:
    """Whether a file has the name of a report."""
    return _REPORT_NAME.fullmatch(name) is not None


def is_told(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of a person's folder is the appliance's: a report, or the folder of what is not filed."""
    is_folder = entry.is_dir(follow_symlinks=False)
    return is_folder if entry.name == NOT_FILED else is_report(entry.name) and not is_folder


def as_text(text: str) -> bytes:
    """As an old PC shows it too: lines end as there, and what is no text is shown as such."""
    return text.replace("\n", "\r\n").encode("utf-8", "backslashreplace")


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
