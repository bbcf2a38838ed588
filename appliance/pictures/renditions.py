"""Which instances have no pictures yet, and the record of those that were drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import delete, func, insert, select, update

from appliance.index.models import DONE, FAILED, NONE, PENDING, Instance, Rendition
from appliance.pictures.share import named_instances, place_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy.orm import Session

    from appliance.index.models import Patient, Series, Study
    from appliance.keeping.archive import Archive
    from appliance.pictures.drawn import Drawing, DrawnPicture

_ROWS_AT_A_TIME = 100

log = structlog.get_logger("appliance.pictures.rendering")


@dataclass(frozen=True)
class Task:
    """An instance to be drawn: its file, and where its pictures go."""

    key: int
    sop_instance_uid: str
    source: Path
    folder: Path
    stem: str


def next_pending(archive: Archive, limit: int, busy: Collection[int]) -> list[Task]:
    """The oldest instances that wait for their pictures and are not being drawn."""
    waiting = named_instances().where(Instance.state == PENDING, Instance.id.not_in(busy)).order_by(Instance.id)
    with archive.index.session() as session:
        rows = session.execute(waiting.limit(limit))
        return [_task(archive, instance, series, study, patient) for instance, series, study, patient in rows]


def record(archive: Archive, results: Mapping[Task, Drawing]) -> None:
    """
    Write down what was drawn, in one transaction.

    Raises
    ------
    ArchiveFull
        The index cannot grow: the instances stay pending.
    """
    if not results:
        return
    with archive.index.writing() as session:
        for task, drawing in results.items():
            _record(session, task, drawing, archive.shared)
    for task, drawing in results.items():
        if drawing.fault:
            log.error("drawing failed", sop_instance_uid=task.sop_instance_uid, exception=drawing.fault)
        elif drawing.reason:
            log.warning("not drawn", sop_instance_uid=task.sop_instance_uid, reason=drawing.reason)


def try_failed_again(archive: Archive, version: str) -> None:
    """What an earlier version of Gurney could not draw is drawn anew, once."""
    told = archive.folder / "rendered-by"
    if told.exists() and told.read_text() == version:
        return
    with archive.index.writing() as session:
        session.execute(update(Instance).where(Instance.state == FAILED).values(state=PENDING, reason=""))
    told.write_text(version)


def clear_halves(archive: Archive) -> None:
    """Remove what a killed process had half written beside the pictures of instances that are pending."""
    for folder in _pending_folders(archive):
        for half in folder.glob(".*.part"):
            half.unlink(missing_ok=True)


def _pending_folders(archive: Archive) -> Iterator[Path]:
    """The folder of each series of which an instance is pending, a few rows in memory at a time."""
    first = select(func.min(Instance.id)).where(Instance.state == PENDING).group_by(Instance.series_key)
    rows = named_instances().where(Instance.id.in_(first)).execution_options(yield_per=_ROWS_AT_A_TIME)
    with archive.index.session() as session:
        for instance, series, study, patient in session.execute(rows):
            yield _task(archive, instance, series, study, patient).folder


def _task(archive: Archive, instance: Instance, series: Series, study: Study, patient: Patient) -> Task:
    folder, stem = place_of(instance, series, study, patient)
    uid = instance.sop_instance_uid
    return Task(instance.id, uid, archive.path_of(uid), archive.shared / folder, stem)


def _record(session: Session, task: Task, drawing: Drawing, shared: Path) -> None:
    rows = list(_rows(task.key, drawing.pictures, shared))
    _clear_earlier(session, task, shared, kept={row["path"] for row in rows})
    if rows:
        session.execute(insert(Rendition), rows)
    state = FAILED if drawing.reason else DONE if drawing.is_image else NONE
    session.execute(update(Instance).where(Instance.id == task.key).values(state=state, reason=drawing.reason))


def _clear_earlier(session: Session, task: Task, shared: Path, kept: Collection[str]) -> None:
    """Remove what an earlier drawing made under other names; killed before the commit, it is drawn again."""
    own = Rendition.instance_key == task.key
    for path in session.scalars(select(Rendition.path).where(own)):
        if path not in kept:
            (shared / path).unlink(missing_ok=True)
    session.execute(delete(Rendition).where(own))


def _rows(key: int, pictures: tuple[DrawnPicture, ...], shared: Path) -> Iterator[dict[str, Any]]:
    for picture in pictures:
        yield {
            "instance_key": key,
            "frame": picture.frame,
            "path": picture.path.relative_to(shared).as_posix(),
            "rows": picture.rows,
            "columns": picture.columns,
            "window_centre": picture.window_center,
            "window_width": picture.window_width,
            "window_function": picture.window_function,
        }
