"""The archive: keeps instances, and says so only when the disk and the index both have them."""

from __future__ import annotations

import fcntl
import threading
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import structlog

from appliance.errors import ArchiveUnusable
from appliance.index.engine import Index, open_index
from appliance.keeping.filing import Batch, Filed, Outcome, compared, file_batch, filed, is_kept
from appliance.keeping.kept import KeptFiles
from appliance.keeping.spool import room_told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

    from appliance.keeping.spool import Arrival, Arriving

log = structlog.get_logger("appliance.keeping.archive")


@dataclass(eq=False)
class _Waiting:
    """A batch on its way into the archive, and then what became of it."""

    batch: Batch
    outcomes: list[Outcome] | None = None
    error: BaseException | None = None

    @property
    def settled(self) -> bool:
        return self.outcomes is not None or self.error is not None


class Archive:
    """The kept files and their index; made by `open_archive`."""

    def __init__(self, kept: KeptFiles, index: Index, lock: BinaryIO) -> None:
        self.kept = kept
        self.index = index
        self.folder, self.keys, self.spool = kept.folder, kept.keys, kept.spool
        self.conflicts, self.shared = kept.conflicts, kept.shared
        self._lock_file = lock
        self._turn = threading.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._listeners: list[Callable[[Filed], None]] = []

    def arriving(self) -> Arriving:
        """A new file in the spool: write it, `finish` it, and `file` what comes out."""
        return self.kept.arriving()

    def path_of(self, sop_instance_uid: str) -> Path:
        """Where a kept instance lies."""
        return self.kept.path_of(sop_instance_uid)

    def listen(self, listener: Callable[[Filed], None]) -> None:
        """Call the listener after each filing; it must be quick and must not raise."""
        self._listeners.append(listener)

    def file(
        self,
        arrivals: Sequence[Arrival],
        *,
        issuer: str,
        source: str,
        within: Callable[[Session, Filed], None] | None = None,
    ) -> Filed:
        """
        Keep arrivals: their files on the disk, then their rows in one durable transaction.

        Whoever waits here at the same time shares the flush and the commit: the first whose turn comes files for
        all. The spool's files are gone afterwards, whatever happened.

        Parameters
        ----------
        arrivals
            Finished files of `arriving`.
        issuer
            The branch that issued the patient IDs.
        source
            Who sent them, as people should read it: an AE title, or `branch:erode`.
        within
            Called last, in the same transaction, with what became of the arrivals; what it raises undoes everything
            and comes out of here. It may be called again in a new transaction, where a neighbour spoiled the first.

        Raises
        ------
        ArchiveFull
            The disk has no room; nothing of this batch is kept.
        """
        mine = _Waiting(Batch(arrivals, issuer, source, within))
        self._waiting.append(mine)
        with self._turn:
            if not mine.settled:
                self._settle([self._waiting.popleft() for _ in range(len(self._waiting))])
        if mine.outcomes is None:
            assert mine.error is not None
            raise mine.error
        return self._told(filed(mine.batch, mine.outcomes))

    def close(self) -> None:
        """Close the index and let another service have the archive."""
        self.index.close()
        self._lock_file.close()

    def _settle(self, waiting: list[_Waiting]) -> None:
        try:
            self._commit(waiting)
        except BaseException as error:  # noqa: BLE001 - it comes out of `file` in the thread whose batch it is
            if len(waiting) > 1:
                for one in waiting:
                    self._settle([one])
                return
            waiting[0].error = error
        for one in waiting:
            self._clear(one)

    def _commit(self, waiting: list[_Waiting]) -> None:
        try:
            comparisons = [compared(self.kept, one.batch) for one in waiting]
            with room_told("the archive"), self.index.writing() as session:
                outcomes = [
                    file_batch(session, self.kept, one.batch, found)
                    for one, found in zip(waiting, comparisons, strict=True)
                ]
                self.kept.flush()
        except BaseException:
            for one in waiting:
                self._withdraw(one.batch)
            raise
        for one, outcome in zip(waiting, outcomes, strict=True):
            one.outcomes = outcome

    def _withdraw(self, batch: Batch) -> None:
        for arrival in batch.arrivals:
            self.kept.withdraw(arrival)

    def _clear(self, one: _Waiting) -> None:
        for arrival in one.batch.arrivals:
            arrival.path.unlink(missing_ok=True)

    def _told(self, result: Filed) -> Filed:
        for listener in self._listeners:
            listener(result)
        return result


def open_archive(folder: Path) -> Archive:
    """
    Open the archive in a folder, making what is missing and clearing away what a killed process left.

    Raises
    ------
    ArchiveUnusable
        The folder is missing, not writable, or another service has it open; or its index is lost or damaged.
    """
    if not folder.is_dir():
        raise ArchiveUnusable(f"{folder}: no such directory: is the archive's disk mounted?")
    try:
        with ExitStack() as opened:
            lock = opened.enter_context(_lock(folder))
            kept = KeptFiles(folder)
            kept.make_folders()
            index = open_index(folder / "index.sqlite")
            opened.callback(index.close)
            with index.session() as session:
                cleared = kept.sweep(lambda uid: is_kept(session, uid))
            opened.pop_all()
    except OSError as error:
        raise ArchiveUnusable(f"{folder}: the archive cannot be opened: {error.strerror or error}") from error
    if cleared:
        log.info("spool cleared", files=cleared)
    return Archive(kept, index, lock)


def _lock(folder: Path) -> BinaryIO:
    file = (folder / "lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ArchiveUnusable(f"{folder}: another appliance service has this archive open") from None
    return file
