"""The state of the cloud: objects in memory, written through to SQLite in one transaction a call."""

from __future__ import annotations

import json
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

from emulator.errors import EmulatorError
from emulator.record import Body, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

State = tuple[int, int]

SCHEMA = """
CREATE TABLE IF NOT EXISTS object
    (kind TEXT, oid INTEGER, body TEXT, hidden TEXT, PRIMARY KEY (kind, oid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, due REAL, name TEXT, oid INTEGER, arguments TEXT);
"""

#: Documents are trees, so there is no circle to look for.
as_json = json.JSONEncoder(check_circular=False).encode

#: Objects in one statement; SQLite takes 999 values at least.
ROWS = 200

STATEFUL = frozenset({"vm", "host", "image", "vn"})


def state_of(record: Record) -> State:
    """STATE and LCM_STATE of an object that has states."""
    return int(record.body["STATE"]), int(record.body.get("LCM_STATE", 0))


class Store:
    """All objects, counters and due events.

    Every access happens under `lock`; every change inside `transaction()`. A transaction that raises leaves
    neither memory nor disk changed.

    Parameters
    ----------
    path
        The SQLite file, made when missing; `:memory:` keeps nothing.

    Attributes
    ----------
    on_state
        Is told, in the transaction that does it, of every object that changes its state, and of the state before
        (None for a new object). It may add events, and edit nothing.
    """

    def __init__(self, path: Path | str) -> None:
        self.lock = threading.RLock()
        self._begun = False
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + SCHEMA)
        except sqlite3.Error as error:
            raise EmulatorError(f"cannot open the state of the embedded cloud in {path}: {error}") from error
        self._pools: dict[str, dict[int, Record]] = {}
        self._counters: dict[str, int] = dict(self._db.execute("SELECT name, value FROM counter"))
        self._dirty: dict[tuple[str, int], Record] = {}
        self._unwritten: list[tuple[str, Sequence[Any]]] = []
        self.on_state: Callable[[Record, State | None], None] | None = None
        self._states: dict[tuple[str, int], State] = {}
        self._new_states: dict[tuple[str, int], State] = {}
        for kind, oid, body, hidden in self._db.execute("SELECT * FROM object ORDER BY kind, oid"):
            self._pools.setdefault(kind, {})[oid] = Record(kind, oid, json.loads(body), json.loads(hidden))
        for record in (one for kind in STATEFUL for one in self._pools.get(kind, {}).values()):
            self._states[record.kind, record.oid] = state_of(record)

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self._db.close()

    # reading

    def get(self, kind: str, oid: int) -> Record | None:
        """The object, or None."""
        return self._pools.get(kind, {}).get(oid)

    def all(self, kind: str) -> list[Record]:
        """All objects of a kind by ascending id."""
        return list(self._pools.get(kind, {}).values())

    def counters(self) -> dict[str, int]:
        """The number of each counter that was given last."""
        return dict(self._counters)

    def has_any(self) -> bool:
        """Whether anything was ever made."""
        return bool(self._counters)

    # changing

    def transaction(self) -> Transaction:
        """Hold the lock; write all that was edited at the end, or undo it when the block raises.

        What the block made is in SQLite when it is left; a block that changed nothing does not touch the file.
        """
        return Transaction(self)

    def next_id(self, counter: str, first: int = 0) -> int:
        """The counter's next number, from `first` on."""
        value = self._counters.get(counter, first - 1) + 1
        self.set_counter(counter, value)
        return value

    def set_counter(self, counter: str, value: int) -> None:
        """The number that was given last."""
        self._counters[counter] = value
        self._write("INSERT OR REPLACE INTO counter VALUES (?, ?)", (counter, value))

    def spend(self, counters: dict[str, int]) -> None:
        """Give no number again that was given when the counters stood so: whoever was told it takes it for an id."""
        for counter, value in counters.items():
            if value > self._counters.get(counter, -1):
                self.set_counter(counter, value)

    def add(self, kind: str, oid: int, body: Body, hidden: Body | None = None) -> Record:
        """Keep a new object."""
        record = Record(kind, oid, body, hidden or {})
        self._put(record)
        return self.edit(record)

    def edit(self, record: Record) -> Record:
        """Say that the record is about to change, or just did."""
        record.xml.clear()
        self._dirty[record.kind, record.oid] = record
        return record

    def remove(self, record: Record) -> None:
        """Forget an object."""
        self._pools[record.kind].pop(record.oid, None)
        self._dirty[record.kind, record.oid] = record

    # events

    def add_event(self, due: float, name: str, oid: int, arguments: Body) -> None:
        """Remember to do something at a time."""
        row = (due, name, oid, as_json(arguments))
        self._write("INSERT INTO event (due, name, oid, arguments) VALUES (?, ?, ?, ?)", row)

    def next_event(self) -> tuple[int, float, str, int, Body] | None:
        """The event that is due first."""
        row = self._db.execute("SELECT id, due, name, oid, arguments FROM event ORDER BY due, id LIMIT 1").fetchone()
        return None if row is None else (*row[:4], json.loads(row[4]))

    def remove_event(self, event_id: int) -> None:
        """Forget an event."""
        self._write("DELETE FROM event WHERE id = ?", (event_id,))

    def remove_events(self, name: str, oid: int) -> None:
        """Forget all events of a name for an object."""
        self._write("DELETE FROM event WHERE name = ? AND oid = ?", (name, oid))

    # inside

    def begin(self) -> None:
        """Begin a transaction; it is ended by `end`."""
        self.lock.acquire()
        if self._begun:
            self.lock.release()
            raise RuntimeError("a transaction within another")
        self._begun = True

    def end(self, *, undo: bool) -> None:
        """Keep what was edited since `begin`, or undo it; what cannot be kept is undone."""
        try:
            if not undo:
                self._keep()
        except BaseException:
            undo = True
            raise
        finally:
            if undo:
                self._undo()
            self._dirty.clear()
            self._unwritten.clear()
            self._new_states.clear()
            self._begun = False
            self.lock.release()

    def _keep(self) -> None:
        self._flush()
        if len(self._unwritten) == 1:  # SQLite makes a transaction of one statement by itself
            self._db.execute(*self._unwritten[0])
        elif self._unwritten:
            self._db.execute("BEGIN IMMEDIATE")
            for sql, values in self._unwritten:
                self._db.execute(sql, values)
            self._db.execute("COMMIT")
        self._states.update(self._new_states)

    def _write(self, sql: str, values: Sequence[Any]) -> None:
        """Remember a statement for the end: at each, Python lets other threads in, which then wait for the lock."""
        if not self._begun:
            raise RuntimeError("a change outside a transaction")
        self._unwritten.append((sql, values))

    def _put(self, record: Record) -> None:
        """Keep a record in its pool, which stays in the order of ids."""
        pool = self._pools.setdefault(record.kind, {})
        late = bool(pool) and record.oid < next(reversed(pool))
        pool[record.oid] = record
        if late:  # a removal that is undone
            self._pools[record.kind] = dict(sorted(pool.items()))

    def _flush(self) -> None:
        """Say what has to be written of the edited objects: all that stand in one statement."""
        standing: list[Any] = []
        for (kind, oid), record in list(self._dirty.items()):
            if self.get(kind, oid) is record:
                standing += (kind, oid, as_json(record.body), as_json(record.hidden))
                self._note_state(record)
            else:
                self._write("DELETE FROM object WHERE kind = ? AND oid = ?", (kind, oid))
        for begin in range(0, len(standing), 4 * ROWS):
            values = standing[begin : begin + 4 * ROWS]
            rows = ", ".join(["(?, ?, ?, ?)"] * (len(values) // 4))
            self._write(f"INSERT OR REPLACE INTO object VALUES {rows}", values)  # noqa: S608 - question marks alone

    def _note_state(self, record: Record) -> None:
        if record.kind not in STATEFUL:
            return
        key, now = (record.kind, record.oid), state_of(record)
        old = self._states.get(key)
        if now != old:
            self._new_states[key] = now
            if self.on_state is not None:
                self.on_state(record, old)

    def _undo(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._counters = dict(self._db.execute("SELECT name, value FROM counter"))
        for kind, oid in self._dirty:
            self._reload(kind, oid)

    def _reload(self, kind: str, oid: int) -> None:
        pool = self._pools.setdefault(kind, {})
        row = self._db.execute("SELECT body, hidden FROM object WHERE kind = ? AND oid = ?", (kind, oid)).fetchone()
        if row is None:
            pool.pop(oid, None)
        elif (record := pool.get(oid)) is not None:
            record.body, record.hidden = json.loads(row[0]), json.loads(row[1])
            record.xml.clear()
        else:
            self._put(Record(kind, oid, json.loads(row[0]), json.loads(row[1])))


class Transaction:
    """A block of changes to a store; one at a time, and none within another."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> None:
        self._store.begin()

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._store.end(undo=kind is not None)
