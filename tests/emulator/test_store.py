"""The state is what the last whole transaction left, in memory and in SQLite alike."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from emulator.store import ROWS, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "state.sqlite")) as store:
        yield store


def kept(tmp_path: Path) -> dict[str, list[int]]:
    """What another process finds at this moment, as after a kill -9."""
    with closing(sqlite3.connect(f"file:{tmp_path / 'state.sqlite'}?mode=ro", uri=True)) as there:
        rows = there.execute("SELECT kind, oid FROM object ORDER BY kind, oid").fetchall()
        return {
            "objects": [oid for _, oid in rows],
            "counters": [value for (value,) in there.execute("SELECT value FROM counter")],
            "events": [oid for (oid,) in there.execute("SELECT oid FROM event ORDER BY id")],
        }


def numbers(store: Store) -> list[int]:
    return [record.oid for record in store.all("group")]


def test_what_a_block_made_is_on_disk_when_it_is_left(store: Store, tmp_path: Path) -> None:
    with store.transaction():
        for _ in range(2 * ROWS + 1):  # more than one statement holds
            store.add("group", store.next_id("group"), {"NAME": "x"})
        store.add_event(1.0, "schedule", 7, {})
        assert kept(tmp_path) == {"objects": [], "counters": [], "events": []}
    every = list(range(2 * ROWS + 1))
    assert kept(tmp_path) == {"objects": every, "counters": [2 * ROWS], "events": [7]}
    assert numbers(store) == every


def test_one_edited_object_is_kept(store: Store, tmp_path: Path) -> None:
    with store.transaction():
        record = store.add("group", 5, {"NAME": "x"})
    with store.transaction():
        store.edit(record).body["NAME"] = "y"
    with closing(Store(tmp_path / "state.sqlite")) as again:
        assert [(one.oid, one.name) for one in again.all("group")] == [(5, "y")]


def test_a_block_that_raises_leaves_nothing(store: Store, tmp_path: Path) -> None:
    with store.transaction():
        first = store.add("group", store.next_id("group"), {"NAME": "first"})
        store.add("group", store.next_id("group"), {"NAME": "second"})
    before = kept(tmp_path)

    def breaks() -> None:
        with store.transaction():
            store.remove(first)
            store.add("group", store.next_id("group"), {"NAME": "third"})
            store.add_event(1.0, "schedule", 7, {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks()
    assert kept(tmp_path) == before
    assert numbers(store) == [0, 1]  # what was removed stands in its place again
    with store.transaction():
        assert store.next_id("group") == 2


def test_what_cannot_be_written_is_undone(store: Store, tmp_path: Path) -> None:
    with store.transaction():
        record = store.add("group", store.next_id("group"), {"NAME": "whole"})
    before = kept(tmp_path)

    def breaks() -> None:
        with store.transaction():
            store.edit(record).body["NAME"] = "broken"
            store.add("group", store.next_id("group"), {"NAME": object()})

    with pytest.raises(TypeError, match="not JSON serializable"):
        breaks()
    assert kept(tmp_path) == before
    assert [one.name for one in store.all("group")] == ["whole"]


def test_a_disk_that_fails_in_the_middle_leaves_nothing(store: Store, tmp_path: Path) -> None:
    with store.transaction():
        store.add("group", store.next_id("group"), {"NAME": "whole"})
    before = kept(tmp_path)
    with closing(sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON object BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        with pytest.raises(sqlite3.IntegrityError, match="disk full"), store.transaction():
            store.add("group", store.next_id("group"), {"NAME": "lost"})
        other.execute("DROP TRIGGER full")
    assert kept(tmp_path) == before
    assert numbers(store) == [0]
    with store.transaction():
        assert store.next_id("group") == 1


def test_a_transaction_is_neither_nested_nor_left_out(store: Store) -> None:
    with store.transaction(), pytest.raises(RuntimeError, match="within another"), store.transaction():
        pass
    with pytest.raises(RuntimeError, match="outside a transaction"):
        store.add_event(1.0, "schedule", 7, {})
    with store.transaction():  # and goes on
        store.add("group", 1, {"NAME": "x"})
