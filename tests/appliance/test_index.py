"""The index file: its migrations make exactly the tables that the code knows, and it is durable."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from appliance.errors import ArchiveUnusable
from appliance.index.engine import open_index
from appliance.index.migrations.tables import metadata
from appliance.index.migrations.upgrade import newest_revision, revision_of, run_steps

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection:sqlalchemy.exc.SAWarning")
def test_migrations_make_the_tables_of_the_models(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'index.sqlite'}")
    run_steps(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert revision_of(engine) == newest_revision()
    engine.dispose()


def test_a_new_index_has_what_all_steps_make(tmp_path: Path) -> None:
    open_index(tmp_path / "new.sqlite").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'old.sqlite'}")
    run_steps(engine)
    engine.dispose()
    assert made(tmp_path / "new.sqlite") == made(tmp_path / "old.sqlite")
    assert [each.name for each in tmp_path.glob("index-*")] == []


def made(path: Path) -> dict[str, object]:
    """All that a file declares, whatever the order of its columns: tables, keys, indexes, triggers, the revision."""
    with closing(sqlite3.connect(path)) as connection:

        def told(of: str, name: str) -> set[tuple[object, ...]]:
            place = 1 if of == "index_xinfo" else 0  # the number that the order of columns, keys or indexes gives
            return {row[:place] + row[place + 1 :] for row in connection.execute(f"PRAGMA {of}('{name}')")}

        found: dict[str, object] = {}
        for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall():
            named = (
                {word for word in sql.replace(",", " ").split() if word[:3] in {"pk_", "uq_", "fk_"}} if sql else sql
            )
            of = ("table_info", "foreign_key_list", "index_list") if kind == "table" else ("index_xinfo",)
            found[name] = sql if kind == "trigger" else (kind, named, [told(each, name) for each in of])
        found["revision"] = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        return found


def test_every_commit_is_flushed(tmp_path: Path) -> None:
    index = open_index(tmp_path / "index.sqlite")
    with index.session() as session:
        pragmas = {
            name: session.connection().exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    index.close()


def older_index(path: Path, revision: str) -> None:
    """An index as a version of long ago has left it, with one patient in it."""
    engine = create_engine(f"sqlite:///{path}")
    run_steps(engine, revision)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO patient VALUES (1, 'erode', 'ER-1', '', '', '')")
    engine.dispose()


def test_an_older_index_is_kept_beside_the_upgraded_one(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    older_index(path, "0001")
    before = rows(path)
    (tmp_path / "index-0000.sqlite").touch()
    (tmp_path / "index-0001.part").write_bytes(b"half of a copy")
    index = open_index(path)
    with index.session() as session:
        assert session.connection().exec_driver_sql("SELECT patient_id FROM patient").scalar() == "ER-1"
    index.close()
    assert {each.name for each in tmp_path.iterdir()} == {"index.sqlite", "index-0001.sqlite"}
    assert rows(tmp_path / "index-0001.sqlite") == before
    assert rows(path) != before


def test_an_older_index_names_who_came_without_a_name(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    older_index(path, "0006")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO patient VALUES (2, 'erode', 'ER-2', '^^', '19700101', '')")
        connection.execute("INSERT INTO patient VALUES (3, 'erode', 'ER-3', 'Own^Name', '', '')")
        studies = [(1, "", ""), (1, "Kumar^Ravi", "19650505"), (1, "Raja^Kannan", ""), (2, "Other^Born", "19880808")]
        for key, (patient, name, born) in enumerate([*studies, (3, "Kumar^Ravi", "")]):
            values = (key, patient, f"1.2.{key}", "", "", "", "", name, born)
            connection.execute(f"INSERT INTO study VALUES ({', '.join('?' * len(values))})", values)
        connection.commit()
    open_index(path).close()
    with closing(sqlite3.connect(path)) as connection:
        named = connection.execute("SELECT name, birth_date FROM patient ORDER BY id").fetchall()
    assert named == [("Kumar^Ravi", "19650505"), ("^^", "19700101"), ("Own^Name", "")]


def rows(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_a_migration_that_fails_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    older_index(path, "0001")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE account (in_the_way INTEGER)")
        connection.commit()
    before = rows(path)
    with pytest.raises(ArchiveUnusable, match="account"):
        open_index(path)
    assert rows(path) == before == rows(tmp_path / "index-0001.sqlite")


def test_the_command_migrates_and_tells_why_it_cannot(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    older_index(path, "0001")
    command = [sys.executable, "-m", "appliance.index.migrations", str(path)]
    assert subprocess.run(command, check=False).returncode == 0
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 1
    assert "written by a newer version" in told.stderr
    assert "Traceback" not in told.stderr
