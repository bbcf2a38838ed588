"""Pictures that were drawn before their patient had a name: they move to the folder that bears it, all of them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, event, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex

from appliance.errors import ArchiveFull
from appliance.index.migrations.upgrade import run_steps
from appliance.index.models import Patient, Rendition, Study
from appliance.index.queries import pending_renditions
from appliance.keeping.archive import Archive, open_archive
from appliance.pictures.moving import misplaced_studies, put_right
from appliance.pictures.processes import Processes
from appliance.pictures.rendering import Rendering
from tests.appliance.hospital import ct, file_all
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import FileDataset

NAMED = "Kumar Ravi (77, salem)"


@contextmanager
def drawing(archive: Archive) -> Iterator[None]:
    """Pictures are drawn and moved, to the end."""
    rendering = Rendering(archive, lambda: Processes(1))
    rendering.start()
    try:
        yield
        until(lambda: is_idle(archive))
    finally:
        rendering.stop()


def is_idle(archive: Archive) -> bool:
    with archive.index.session() as session:
        return pending_renditions(session) == 0 and not misplaced_studies(archive)


def keep(archive: Archive, *datasets: FileDataset) -> None:
    file_all(archive, datasets, "salem")


def files(archive: Archive) -> dict[str, int]:
    """What a person sees in the shared folder, and which file on the disk it is."""
    found = (path for path in archive.shared.rglob("*") if path.is_file() or not any(path.iterdir()))
    return {path.relative_to(archive.shared).as_posix(): path.stat().st_ino for path in found}


def patients(archive: Archive) -> list[str]:
    return sorted(path.name for path in archive.shared.iterdir())


def check(archive: Archive, pictures: int) -> None:
    """One folder, with each picture once, where the index says."""
    with archive.index.session() as session:
        paths = set(session.scalars(select(Rendition.path)))
    assert patients(archive) == [NAMED]
    assert set(files(archive)) == paths
    assert len(paths) == pictures


@pytest.mark.parametrize("nobody", ["", "^^"])
def test_a_name_with_a_later_study_moves_the_pictures(archive: Archive, nobody: str) -> None:
    with drawing(archive):
        keep(archive, *ct("77", nobody, 3), *ct("77", nobody, 1))
        keep(archive, *ct("78", "", 1))
    before = set(files(archive).values())
    assert NAMED not in patients(archive)
    with drawing(archive):
        keep(archive, *ct("77", "Kumar^Ravi", 2))
    assert len(patients(archive)) == 2, "who has no name still, stays"
    assert before <= set(files(archive).values()), "they are the same files"
    for path in list(archive.shared.glob("*78*/**/*.png")):
        path.unlink()
    assert len([path for path in files(archive) if path.startswith(NAMED)]) == 6


def test_a_name_with_a_later_image_of_the_same_series_moves_them(archive: Archive) -> None:
    datasets = ct("77", "", 4)
    datasets[2].PatientName = "Kumar^Ravi"
    with drawing(archive):
        keep(archive, *datasets[:2])
    with drawing(archive):
        keep(archive, datasets[2])
        keep(archive, datasets[3])
    check(archive, 4)


def test_a_name_that_comes_while_they_are_drawn(archive: Archive) -> None:
    with drawing(archive):
        for number in range(12):
            keep(archive, *ct("77", "Kumar^Ravi" if number == 6 else "", 4))
    check(archive, 48)


def test_a_full_disk_between_folder_and_index_leaves_it_to_the_next_time(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with drawing(archive):
        keep(archive, *ct("77", "", 2))
    keep(archive, *ct("77", "Kumar^Ravi", 1))

    @contextmanager
    def full() -> Iterator[None]:
        raise ArchiveFull("the index cannot grow")
        yield

    first, *_ = misplaced_studies(archive)
    with monkeypatch.context() as patched:
        patched.setattr(archive.index, "writing", full)
        with pytest.raises(ArchiveFull):
            put_right(archive, first)
    with drawing(archive):
        pass
    check(archive, 3)


def test_a_study_that_lies_under_both_names_is_put_together(archive: Archive) -> None:
    """As a version before this one left it."""
    datasets = ct("77", "", 3)
    with drawing(archive):
        keep(archive, *datasets[:2])
    with archive.index.writing() as session:
        session.execute(update(Patient).values(name="Kumar^Ravi"))
    with drawing(archive):
        keep(archive, datasets[2])
    assert len(patients(archive)) == 2
    with archive.index.writing() as session:
        session.execute(update(Study).values(misplaced=True))
    with drawing(archive):
        pass
    check(archive, 3)


def test_who_was_born_on_another_day_keeps_the_folder(archive: Archive) -> None:
    nameless, named = ct("77", "", 1), ct("77", "Kumar^Ravi", 1)
    nameless[0].PatientBirthDate, named[0].PatientBirthDate = "19700101", "19880808"
    with drawing(archive):
        keep(archive, *nameless)
    before = files(archive)
    with drawing(archive):
        keep(archive, *named)
    assert before.items() <= files(archive).items()
    assert len(patients(archive)) == 2


def test_an_older_index_has_them_looked_at(tmp_path: Path) -> None:
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{tmp_path / 'index.sqlite'}")
    run_steps(engine, "0008")
    study = "INSERT INTO study VALUES ({0}, {1}, '1.2.{0}', '', '', '', '', '{2}', '')"
    with engine.begin() as connection:
        for key, name in ((1, "Kumar^Ravi"), (2, "Raja^Kannan")):
            connection.exec_driver_sql(f"INSERT INTO patient VALUES ({key}, 'salem', '{key}', '{name}', '', '')")
        for key, patient, name in ((1, 1, "^^"), (2, 1, "Kumar^Ravi"), (3, 2, "Raja^Kannan")):
            connection.exec_driver_sql(study.format(key, patient, name))
    engine.dispose()
    archive = open_archive(tmp_path)
    assert misplaced_studies(archive) == [1, 2]
    archive.close()


def test_they_are_found_by_their_own_index(archive: Archive) -> None:
    """And not by a look at every study, twenty times a second: the words of the question are those of the index."""
    asked: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        misplaced_studies(archive)
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
    (question,) = [statement for statement in asked if "misplaced" in statement]
    with archive.index.session() as session:
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {question}").all()
    assert ["ix_study_misplaced" in str(step) for step in plan] == [True]


def test_the_migration_makes_the_index_that_the_models_have(archive: Archive) -> None:
    (own,) = (index for index in Study.__table__.indexes if index.name == "ix_study_misplaced")  # type: ignore[attr-defined]
    with archive.index.session() as session:
        made = session.scalar(text("SELECT sql FROM sqlite_master WHERE name = 'ix_study_misplaced'"))
    assert made == str(CreateIndex(own).compile(dialect=sqlite.dialect()))
