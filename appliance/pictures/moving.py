"""The moving of pictures that were drawn before their patient had a name, to the folder that bears it."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select, update

from appliance.disk import flush
from appliance.index.models import Instance, Rendition, Study
from appliance.pictures.share import named_instances, place_of

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from appliance.keeping.archive import Archive

log = structlog.get_logger("appliance.pictures.moving")

_OCCUPIED = frozenset({errno.ENOTEMPTY, errno.EEXIST})


def misplaced_studies(archive: Archive) -> list[int]:
    """The keys of the studies whose pictures may lie in another folder than they should."""
    with archive.index.session() as session:
        return list(session.scalars(select(Study.id).where(Study.misplaced).order_by(Study.id)))


def put_right(archive: Archive, study_key: int) -> None:
    """
    Move a study's pictures where they belong; nothing of it may be being drawn.

    First the folder is renamed, whole, and then the index told: killed in between, this finds the pictures moved.

    Raises
    ------
    OSError, ArchiveFull
        The shared folder or the index cannot be written: the study stays as it is, and is to be put right later.
    """
    with archive.index.session() as session:
        moved = _moved(session, study_key)
    folders = {_study_folder(before): _study_folder(after) for before, after in moved.values()}
    for before, after in folders.items():
        _move(archive.shared / before, archive.shared / after)
    with archive.index.writing() as session:
        if moved:
            session.execute(update(Rendition), [{"id": key, "path": after} for key, (_, after) in moved.items()])
        session.execute(update(Study).where(Study.id == study_key).values(misplaced=False))
    if folders:
        log.info("pictures moved to the patient's name", pictures=len(moved))


def _moved(session: Session, study_key: int) -> dict[int, tuple[str, str]]:
    """The pictures that lie elsewhere than they should: the key of each, where it lies, and where it should."""
    wanted = named_instances().add_columns(Rendition.id, Rendition.path)
    rows = session.execute(wanted.join(Rendition, Rendition.instance_key == Instance.id).where(Study.id == study_key))
    found = {}
    for instance, series, study, patient, key, path in rows:
        folder, _ = place_of(instance, series, study, patient)
        found[key] = (path, (folder / path.rpartition("/")[2]).as_posix())
    return {key: (before, after) for key, (before, after) in found.items() if before != after}


def _study_folder(path: str) -> str:
    """Of `patient/study/series/picture.png` the first two."""
    return "/".join(path.split("/")[:2])


def _move(before: Path, after: Path) -> None:
    after.parent.mkdir(exist_ok=True)
    try:
        before.rename(after)
    except FileNotFoundError:  # moved already, by a service that was killed before it could say so
        return
    except OSError as error:
        if error.errno not in _OCCUPIED:
            raise
        _merge(before, after)
    flush(after.parent)
    with suppress(OSError):  # other studies lie there still
        before.parent.rmdir()
    flush(before.parent.parent)


def _merge(before: Path, after: Path) -> None:
    """Where pictures of the study lie under the name too, each file goes there, and the empty folders go."""
    for file in sorted(path for path in before.rglob("*") if path.is_file()):
        target = after / file.relative_to(before)
        target.parent.mkdir(exist_ok=True)
        file.replace(target)
        flush(target.parent)
    for folder in sorted((path for path in before.rglob("*") if path.is_dir()), reverse=True):
        folder.rmdir()
    before.rmdir()
