"""The index file: its migrations make exactly the tables that the code knows, and it is durable."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from appliance.index.engine import open_index
from appliance.index.migrations.tables import metadata
from appliance.index.migrations.upgrade import newest_revision, revision_of

if TYPE_CHECKING:
    from pathlib import Path


def test_migrations_make_the_tables_of_the_models(tmp_path: Path) -> None:
    open_index(tmp_path / "index.sqlite").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'index.sqlite'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert revision_of(engine) == newest_revision()
    engine.dispose()


def test_every_commit_is_flushed(tmp_path: Path) -> None:
    index = open_index(tmp_path / "index.sqlite")
    with index.session() as session:
        pragmas = {
            name: session.connection().exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    index.close()


def test_an_older_index_is_kept_beside_the_upgraded_one(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    open_index(path).close()
    connection = sqlite3.connect(path)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    kept = {"patient", "study", "series", "instance", "rendition", "alembic_version"}
    for table in tables:
        if table not in kept and not table.startswith("sqlite_"):
            connection.execute(f"DROP TABLE {table}")
    connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.execute("INSERT INTO patient VALUES (1, 'erode', 'ER-1', '', '', '')")
    connection.commit()
    connection.close()
    index = open_index(path)
    with index.session() as session:
        assert session.connection().exec_driver_sql("SELECT patient_id FROM patient").scalar() == "ER-1"
    index.close()
    assert (tmp_path / "index-0001.sqlite").exists()
