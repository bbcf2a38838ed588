"""What is asked of the index: studies by name or number, a study's pictures, and a patient's instances."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, case, func, select

from appliance.index.models import FAILED, PENDING, Instance, Patient, Rendition, Series, Study
from appliance.index.search import matching
from appliance.keeping.namesakes import is_another, name_of
from converter.layout import person

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

#: How many studies of one UID are told apart at most: those that came first are ours, a flood comes after them.
MOST_OF_ONE_UID = 50

_ADDRESS = re.compile(r"([0-9]{1,18})-([0-9.]+)")


@dataclass(frozen=True)
class Named:
    """Whom a Patient ID was first seen with, as it was sent."""

    name: str
    birth_date: str


@dataclass(frozen=True)
class StudyRow:
    """
    A study, whose it is, and how much there is of it; `key` tells two studies of one UID apart.

    `first` says whom the Patient ID was first seen with, where this study names somebody else. Nobody knows how many
    instances of a study are still to come: `last_arrival` says when the last of those that are here came.
    """

    key: int
    study_instance_uid: str
    patient_id: str
    patient_name: str
    first: Named | None
    issuer: str
    study_date: str
    description: str
    accession_number: str
    modalities: tuple[str, ...]
    sources: tuple[str, ...]
    series: int
    instances: int
    pictures: int
    pending: int
    failed: int
    last_arrival: datetime

    @property
    def first_named(self) -> str:
        """`first` in words for programs."""
        if self.first is None:
            return ""
        name = person(self.first.name) or "a patient without a name"
        return f"{name}, born {self.first.birth_date}" if self.first.birth_date else name

    @property
    def address(self) -> str:
        """What names this study and no other, whoever else has one of its UID; no UID looks like it."""
        return f"{self.key}-{self.study_instance_uid}"


@dataclass(frozen=True)
class PictureRow:
    """A picture, its path counted from the shared folder."""

    frame: int
    path: str


@dataclass(frozen=True)
class InstanceRow:
    """An instance of a series and its pictures; `reason` says why some are missing."""

    sop_instance_uid: str
    number: int | None
    frames: int
    state: str
    reason: str
    pictures: tuple[PictureRow, ...]


@dataclass(frozen=True)
class SeriesRow:
    """A series of a study and its instances, in their order."""

    series_instance_uid: str
    number: int | None
    description: str
    modality: str
    instances: tuple[InstanceRow, ...]


@dataclass(frozen=True)
class KeptInstance:
    """An instance as it is handed on; `Archive.path_of` tells where its file is."""

    sop_instance_uid: str
    sop_class_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    size: int
    sha256: str


def studies(session: Session, text: str = "", limit: int = 50, offset: int = 0) -> list[StudyRow]:
    """
    Studies, the newest first.

    Parameters
    ----------
    text
        Words, each of which is part of the patient's name or the beginning of a Patient ID or Accession Number, in any
        order, upper or lower case, with or without accents; or the beginning of such a number, as it is.
    """
    page = matching(select(Study, Patient), text).order_by(Study.study_date.desc(), Study.id.desc())
    return _study_rows(session, page.limit(limit).offset(offset))


def count_studies(session: Session, text: str = "") -> int:
    """How many studies `studies` would find."""
    return session.scalar(matching(select(func.count()).select_from(Study), text)) or 0


def studies_at(session: Session, address: str) -> list[StudyRow]:
    """The study of an address, or all that have this Study Instance UID, those that came first being the first."""
    named = _ADDRESS.fullmatch(address)
    wanted = Study.study_instance_uid == (named[2] if named else address)
    found = select(Study, Patient).join(Patient).where(wanted, *([Study.id == int(named[1])] if named else []))
    return _study_rows(session, found.order_by(Study.id).limit(MOST_OF_ONE_UID))


def series_of(session: Session, study_key: int) -> list[SeriesRow]:
    """A study's series, instances and pictures, in their order."""
    rows = session.execute(
        select(Series, Instance)
        .join(Instance, Instance.series_key == Series.id)
        .where(Series.study_key == study_key)
        .order_by(Series.number, Series.id, Instance.number, Instance.id)
    ).all()
    pictures = _pictures_of(session, study_key)
    return [
        _series_row(series, [(row[1], pictures.get(row[1].id, ())) for row in members])
        for series, members in groupby(rows, key=lambda row: row[0])
    ]


def instances_of_patient(session: Session, issuer: str, patient_id: str) -> list[KeptInstance]:
    """All that is kept of a patient, in the order of arrival."""
    rows = session.execute(
        select(
            Instance.sop_instance_uid,
            Instance.sop_class_uid,
            Study.study_instance_uid,
            Series.series_instance_uid,
            Instance.transfer_syntax_uid,
            Instance.size,
            Instance.sha256,
        )
        .join(Series, Instance.series_key == Series.id)
        .join(Study, Series.study_key == Study.id)
        .join(Patient, Study.patient_key == Patient.id)
        .where(Patient.issuer == issuer, Patient.patient_id == patient_id)
        .order_by(Instance.id)
    )
    return [KeptInstance(*row) for row in rows]


def pending_renditions(session: Session) -> int:
    """How many instances wait for their pictures."""
    return session.scalar(select(func.count()).select_from(Instance).where(Instance.state == PENDING)) or 0


def _study_rows(session: Session, page: Select[*tuple[Any, ...]]) -> list[StudyRow]:
    found = session.execute(page).all()
    keys = [row[0].id for row in found]
    counts, pictures = _counts(session, keys), _picture_counts(session, keys)
    return [_study_row(study, patient, counts[study.id], pictures.get(study.id, 0)) for study, patient in found]


def _counts(session: Session, keys: Sequence[int]) -> dict[int, Any]:
    """Per study: how many series, instances, pending, failed; the modalities, the sources and the last arrival."""
    question = (
        select(
            Series.study_key,
            func.count(Series.id.distinct()),
            func.count(Instance.id),
            func.sum(case((Instance.state == PENDING, 1), else_=0)),
            func.sum(case((Instance.state == FAILED, 1), else_=0)),
            func.group_concat(Series.modality.distinct()),
            func.group_concat(Instance.source.distinct()),
            func.max(Instance.arrived),
        )
        .join(Instance, Instance.series_key == Series.id)
        .where(Series.study_key.in_(keys))
        .group_by(Series.study_key)
    )
    return {row[0]: row[1:] for row in session.execute(question)}


def _picture_counts(session: Session, keys: Sequence[int]) -> dict[int, int]:
    question = (
        select(Series.study_key, func.count(Rendition.id))
        .join(Instance, Instance.series_key == Series.id)
        .join(Rendition, Rendition.instance_key == Instance.id)
        .where(Series.study_key.in_(keys))
        .group_by(Series.study_key)
    )
    return {key: count for key, count in session.execute(question)}  # noqa: C416 - a Row is no pair to mypy


def _study_row(study: Study, patient: Patient, counts: Any, pictures: int) -> StudyRow:
    series, instances, pending, failed, modalities, sources, last_arrival = counts
    another = is_another(study, patient)
    return StudyRow(
        key=study.id,
        study_instance_uid=study.study_instance_uid,
        patient_id=patient.patient_id,
        patient_name=name_of(study, patient),
        first=Named(patient.name, patient.birth_date) if another else None,
        issuer=patient.issuer,
        study_date=study.study_date,
        description=study.description,
        accession_number=study.accession_number,
        modalities=_split(modalities),
        sources=_split(sources),
        series=series,
        instances=instances,
        pictures=pictures,
        pending=pending,
        failed=failed,
        last_arrival=last_arrival,
    )


def _split(joined: str) -> tuple[str, ...]:
    return tuple(sorted(filter(None, joined.split(","))))


def _pictures_of(session: Session, study_key: int) -> dict[int, tuple[PictureRow, ...]]:
    question = (
        select(Rendition.instance_key, Rendition.frame, Rendition.path)
        .join(Instance, Rendition.instance_key == Instance.id)
        .join(Series, Instance.series_key == Series.id)
        .where(Series.study_key == study_key)
        .order_by(Rendition.instance_key, Rendition.frame)
    )
    rows = session.execute(question).all()
    return {key: tuple(PictureRow(frame, path) for _, frame, path in own) for key, own in groupby(rows, lambda r: r[0])}


def _series_row(series: Series, members: Sequence[tuple[Instance, tuple[PictureRow, ...]]]) -> SeriesRow:
    return SeriesRow(
        series_instance_uid=series.series_instance_uid,
        number=series.number,
        description=series.description,
        modality=series.modality,
        instances=tuple(
            InstanceRow(i.sop_instance_uid, i.number, i.frames, i.state, i.reason, pictures) for i, pictures in members
        ),
    )
