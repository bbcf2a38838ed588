"""The kept files: where each instance lies, how it is put there, and what a killed process left is cleared away."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from appliance.disk import flush
from appliance.errors import Unreadable
from appliance.keeping.header import read_header
from appliance.keeping.spool import Arriving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from appliance.keeping.spool import Arrival

log = structlog.get_logger("appliance.keeping.kept")

#: The archive's folders; only what is shared may be entered by others than the service.
PRIVATE_FOLDERS = ("instances", "spool", "conflicts", "keys")
SHARED_FOLDER = "shared"

_PIECE_BYTES = 1 << 20


class KeptFiles:
    """
    The files of an archive.

    A file's name is the digest of its SOP Instance UID, so nothing that a peer sends becomes part of a path.
    An arrival is *linked* from the spool to its place; the spool's name goes only after the index has it. So
    whatever a killed process was about to keep has still its name in the spool, and `sweep` finds it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.instances, self.spool, self.conflicts, self.keys = (folder / name for name in PRIVATE_FOLDERS)
        self.shared = folder / SHARED_FOLDER
        self._touched: set[Path] = set()

    def make_folders(self) -> None:
        """Make the folders that are missing, durably."""
        for name in PRIVATE_FOLDERS:
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)
        self.shared.mkdir(mode=0o755, exist_ok=True)
        for number in range(256):
            (self.instances / f"{number:02x}").mkdir(mode=0o700, exist_ok=True)
        flush(self.instances, self.folder)

    def path_of(self, sop_instance_uid: str) -> Path:
        """Where the instance lies, or would lie: `instances/aa/<sha256 of the UID>.dcm`."""
        digest = hashlib.sha256(sop_instance_uid.encode()).hexdigest()
        return self.instances / digest[:2] / f"{digest}.dcm"

    def arriving(self) -> Arriving:
        """A new file in the spool."""
        return Arriving(self.spool)

    def place(self, arrival: Arrival) -> None:
        """Link an arrival to its place; durable after `flush`. What lay there, and is in no index, is set aside."""
        path = self.path_of(arrival.header.sop_instance_uid)
        try:
            os.link(arrival.path, path)
        except FileExistsError:
            self._make_way(path)
            os.link(arrival.path, path)
        self._touched.add(path.parent)

    def _make_way(self, path: Path) -> None:
        """An older index, say, was put back: what has come since may be the only copy. Its inode is nobody else's."""
        aside = self.conflicts / f"{path.stem}-unindexed-{path.lstat().st_ino}.dcm"
        path.rename(aside)
        self._touched.add(self.conflicts)
        log.warning("set aside", file=aside.name, reason="it lay in the place of an image and was in no index")

    def heal(self, arrival: Arrival) -> None:
        """Put a copy where a kept file is lost or spoilt; durable after `flush`, never withdrawn: the index has it."""
        with arrival.path.open("rb") as source, self.arriving() as copy:
            shutil.copyfileobj(source, copy, _PIECE_BYTES)
            path = self.path_of(copy.finish().header.sop_instance_uid)
            copy.path.replace(path)
        self._touched.add(path.parent)

    def flush(self) -> None:
        """Flush the folders that got new names since the last time."""
        while self._touched:
            flush(self._touched.pop())

    def withdraw(self, arrival: Arrival) -> None:
        """Undo `place`, where it had come to that."""
        path = self.path_of(arrival.header.sop_instance_uid)
        if path.exists() and path.samefile(arrival.path):
            path.unlink()

    def set_aside(self, arrival: Arrival) -> None:
        """Keep an arrival that contradicts a kept instance, for a person to look at; durable after `flush`."""
        name = hashlib.sha256(arrival.header.sop_instance_uid.encode()).hexdigest()
        with suppress(FileExistsError):  # it came before
            os.link(arrival.path, self.conflicts / f"{name}-{arrival.sha256[:16]}.dcm")
        self._touched.add(self.conflicts)

    def count_aside(self) -> int:
        """How many files lie aside, for a person to look at."""
        with os.scandir(self.conflicts) as entries:
            return sum(1 for _ in entries)

    def sweep(self, is_kept: Callable[[str], bool]) -> int:
        """
        Clear the spool of what a killed process left; what it had linked but not indexed goes too.

        Returns
        -------
        int
            How many files were cleared away.
        """
        leftovers = [path for path in self.spool.rglob("*") if not path.is_dir()]
        for leftover in leftovers:
            if leftover.lstat().st_nlink > 1:
                self._unlink_unless(is_kept, leftover)
            leftover.unlink()
        for folder in self.spool.iterdir():
            shutil.rmtree(folder)
        return len(leftovers)

    def _unlink_unless(self, is_kept: Callable[[str], bool], leftover: Path) -> None:
        try:
            uid = read_header(leftover).sop_instance_uid
        except Unreadable:
            return  # it was readable when it was linked: a damaged disk, that a person has to look at
        path = self.path_of(uid)
        if path.exists() and path.samefile(leftover) and not is_kept(uid):
            path.unlink()
