"""The audit log: a chain that is only ever added to."""

from __future__ import annotations

import json
import sqlite3
import threading
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, event, select, text
from sqlalchemy.exc import IntegrityError

from appliance.audit import Audit, broken_at
from appliance.index.engine import open_index
from appliance.index.migrations.upgrade import run_steps
from appliance.people_tables import AuditEntry
from appliance.web.audit_wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from appliance.index.engine import Index


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    opened = open_index(tmp_path / "index.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def audit(index: Index) -> Audit:
    log = Audit(index)
    for number in range(5):
        log.record(action="view", who="dr.anbu", subject=f"1.2.{number}", address="10.20.1.7", detail={"n": number})
    return log


def broken(index: Index) -> int | None:
    with index.session() as session:
        return broken_at(session)


def test_entries_follow_each_other(index: Index, audit: Audit) -> None:
    assert broken(index) is None
    with index.session() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
    assert [entry.number for entry in entries] == [1, 2, 3, 4, 5]
    assert all(after.previous == before.digest for before, after in pairwise(entries))


@pytest.mark.parametrize("deed", ["UPDATE audit SET who = 'nobody' WHERE number = 3", "DELETE FROM audit"])
def test_the_index_itself_refuses_a_change(index: Index, audit: Audit, deed: str) -> None:
    with pytest.raises(IntegrityError, match="only ever added to"), index.writing() as session:
        session.execute(text(deed))
    assert broken(index) is None


@pytest.mark.parametrize(
    ("deed", "found"),
    [
        ("UPDATE audit SET who = 'nobody' WHERE number = 3", 3),
        ("UPDATE audit SET detail = '{}' WHERE number = 1", 1),
        ("DELETE FROM audit WHERE number = 2", 3),
        ("DELETE FROM audit WHERE number = 1", 2),
        ("UPDATE audit SET digest = previous WHERE number = 5", 5),
    ],
)
def test_a_change_past_the_index_shows(index: Index, audit: Audit, tmp_path: Path, deed: str, found: int) -> None:
    with sqlite3.connect(tmp_path / "index.sqlite") as behind:
        behind.execute("DROP TRIGGER audit_no_update")
        behind.execute("DROP TRIGGER audit_no_delete")
        behind.execute(deed)
    behind.close()
    assert broken(index) == found


def test_an_entry_stands_or_falls_with_the_deed(index: Index, audit: Audit) -> None:
    def fail() -> None:
        with index.writing() as session:
            audit.append(session, action="refer", who="dr.anbu")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    audit.record(action="logout", who="dr.anbu")
    with index.session() as session:
        assert [*session.scalars(select(AuditEntry.action).order_by(AuditEntry.number))] == [*["view"] * 5, "logout"]
    assert broken(index) is None


def test_threads_that_record_at_once_make_one_chain(index: Index, audit: Audit) -> None:
    def record() -> None:
        for _ in range(20):
            audit.record(action="view", who="r.devi")

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken(index) is None
    with index.session() as session:
        assert session.scalar(select(AuditEntry.number).order_by(AuditEntry.number.desc()).limit(1)) == 85


def test_a_patient_is_found_by_an_index(index: Index, audit: Audit) -> None:
    wanted = Wanted(patient="ER-1")
    audit.record(action="view", who="dr.anbu", subject="1.2.9", detail={"patient": "ER-1"})
    with index.session() as session:
        asked: list[str] = []
        event.listen(session.connection(), "before_cursor_execute", lambda *told: asked.append(told[2]))
        assert [entry.subject for entry in wanted.entries(session, 10)] == ["1.2.9"]
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[0]}", ("ER-1", 10, 0)).all()
    assert "USING INDEX ix_audit_patient" in plan[0][-1]


def test_entries_of_before_are_found_by_patient_and_stay_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "older.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    run_steps(engine, "0010")
    engine.dispose()
    told = [{"patient": "ER-1"}, {"patient": "ER-2"}, {}]
    with sqlite3.connect(path) as behind:
        for number, detail in enumerate([*map(json.dumps, told), "no JSON"], start=1):
            values = (number, "2026-11-20", "dr.anbu", "", "view", f"1.2.{number}", "done", detail, "", "")
            behind.execute(f"INSERT INTO audit VALUES ({', '.join('?' * len(values))})", values)
        before = behind.execute("SELECT * FROM audit").fetchall()
    behind.close()
    opened = open_index(path)
    with opened.session() as session:
        assert [entry.subject for entry in Wanted(patient="ER-2").entries(session, 10)] == ["1.2.2"]
        assert [tuple(row) for row in session.execute(text("SELECT * FROM audit"))] == before
    opened.close()
