"""Bring an index to this version's tables: a new one at once, an older one with Alembic, keeping a copy of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from appliance.disk import flush
from appliance.errors import ArchiveUnusable
from appliance.index.migrations.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Engine

STEPS = Path(__file__).parent / "versions"


def newest_revision() -> str:
    """The number of the last step that this version knows."""
    return max(step.name[:4] for step in STEPS.glob("[0-9]*.py"))


def upgrade(engine: Engine, path: Path) -> None:
    """
    Run the steps that this index has not had; the file as it was is kept beside it as `index-<revision>.sqlite`.

    Raises
    ------
    ArchiveUnusable
        The index was written by a newer version than this one; or it is new, and instances are there.
    """
    found, newest = revision_of(engine), newest_revision()
    if found == newest:
        return
    if found is not None and found > newest:
        raise ArchiveUnusable(
            f"{path}: written by a newer version (tables {found}, this one knows {newest}): upgrade the appliance"
        )
    if found is None:
        refuse_beside_instances(path)
        make_tables(engine, newest)
        return
    _copy(engine, path.with_name(f"index-{found}.sqlite"))
    run_steps(engine)


def refuse_beside_instances(path: Path) -> None:
    """Where instances are kept the index was there: with a new one they would seem never to have come."""
    instances = path.parent / "instances"
    if next(instances.glob("*/*"), None) is not None:
        raise ArchiveUnusable(
            f"{path}: lost or empty, while images lie in {instances}: nothing was changed; put the index back from a "
            f"backup of this disk, with its {path.name}-wal if it has one, or from the copy that an upgrade has left "
            f"here (index-NNNN.sqlite), after moving {path.name}-wal and -shm away; what came after it is missing there"
        )


def revision_of(engine: Engine) -> str | None:
    """The last step that the index had; None where it is new."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return None if found is None else str(found)


def make_tables(engine: Engine, revision: str) -> None:
    """Make a new index's tables at once, as all steps would: those cost a first start 0.15 s."""
    with engine.execution_options(begin="BEGIN IMMEDIATE").begin() as connection:
        metadata.create_all(connection, checkfirst=False)
        connection.exec_driver_sql(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
            "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
        connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})


def _copy(engine: Engine, target: Path) -> None:
    """Keep the index as it is: whole under its name and on the disk before the first step, instead of older copies."""
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    for older in target.parent.glob("index-[0-9]*.sqlite"):
        older.unlink()
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("VACUUM INTO ?", (str(part),))
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        raw.close()
    flush(part)
    part.replace(target)
    flush(target.parent)


def run_steps(engine: Engine, last: str = "head") -> None:
    """Run all steps that the index has not had, up to the last one, in one transaction."""
    from alembic import command  # 0.2 s that only an older index costs
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    with engine.execution_options(begin="BEGIN IMMEDIATE").begin() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, last)
