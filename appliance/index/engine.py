"""The index's engine: one SQLite file, durable at every commit, one writer at a time."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.orm import Session

from appliance.errors import ArchiveFull, ArchiveUnusable
from appliance.index.migrations.upgrade import refuse_beside_instances, upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

#: WAL with FULL flushes the log at each commit: what is acknowledged outlives a power cut (sqlite.org/wal.html).
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000")

#: What SQLite says when the disk takes no more (SQLITE_FULL; SQLITE_IOERR where a limit on the file size hit).
_FULL = ("database or disk is full", "disk I/O error")


class Index:
    """The index of one archive; made by `open_index`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(begin="BEGIN IMMEDIATE")
        self._lock = threading.Lock()
        self._owner: int | None = None

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session for reading: it sees one moment of the index, and commits nothing."""
        with Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """
        A session whose changes are committed, durably, when the block ends, and undone when it raises.

        Raises
        ------
        ArchiveFull
            The disk has no room for the change; nothing of it is left.
        RuntimeError
            This thread is writing already: it would wait for itself.
        """
        if self._owner == threading.get_ident():
            raise RuntimeError("a write transaction inside a write transaction of the same thread")
        with self._lock:
            self._owner = threading.get_ident()
            try:
                with _full_told(), Session(self._writer, expire_on_commit=False) as session, session.begin():
                    yield session
            finally:
                self._owner = None

    def close(self) -> None:
        """Close every connection; SQLite then folds its log into the file."""
        self._engine.dispose()


def open_index(path: Path) -> Index:
    """
    Open the index, making it or bringing it to this version's tables first.

    Raises
    ------
    ArchiveUnusable
        The file is no index, is damaged, or was written by a newer version; or it is lost, and instances are there.
    """
    if not path.exists():
        refuse_beside_instances(path)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 10}, hide_parameters=True)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    try:
        upgrade(engine, path)
    except DatabaseError as error:
        engine.dispose()
        raise ArchiveUnusable(f"{path}: not a usable index: {error.orig}") from error
    return Index(engine)


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: sqlite3 would begin too late to read consistently
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


@contextmanager
def _full_told() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if str(error.orig) in _FULL:
            raise ArchiveFull(f"the index cannot grow: {error.orig}") from error
        raise
