"""The filing: arrivals become kept instances and rows of the index, within a transaction that the archive holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import bindparam, insert, select, update

from appliance.index.models import PENDING, Instance, Patient, Series, Study
from appliance.index.search_name import search_name
from appliance.keeping.comparison import Comparison, Likeness, compare
from appliance.keeping.namesakes import is_nameless, may_be_one

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Table
    from sqlalchemy.orm import Session

    from appliance.keeping.header import Header
    from appliance.keeping.kept import KeptFiles
    from appliance.keeping.spool import Arrival


#: What is asked and done for every instance is composed once: composing costs a quarter of a millisecond each time.
_INSERT = insert(cast("Table", Instance.__table__))
#: SQLite takes 999 parameters at least.
_ASKED_AT_ONCE = 500
_KEPT = select(Instance.transfer_syntax_uid, Instance.sha256).where(Instance.sop_instance_uid == bindparam("uid"))
_OWNER = (
    select(Patient.issuer, Patient.patient_id)
    .join(Study, Study.patient_key == Patient.id)
    .join(Series, Series.study_key == Study.id)
    .join(Instance, Instance.series_key == Series.id)
    .where(Instance.sop_instance_uid == bindparam("uid"))
)
_SERIES = (
    select(Series.id, Patient.id.label("patient_key"), Patient.name)
    .join(Study, Series.study_key == Study.id)
    .join(Patient, Study.patient_key == Patient.id)
    .where(
        Patient.issuer == bindparam("issuer"),
        Patient.patient_id == bindparam("patient_id"),
        Study.study_instance_uid == bindparam("study"),
        Series.series_instance_uid == bindparam("series"),
    )
)


class Outcome(Enum):
    """What became of an arrival."""

    NEW = "new"
    SAME = "same"
    ELSEWHERE = "elsewhere"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Filed:
    """What became of the arrivals that were filed together; `elsewhere` are kept already, as another patient's."""

    new: int
    same: int
    conflicts: tuple[str, ...]
    elsewhere: int = 0


@dataclass(frozen=True)
class Batch:
    """Arrivals that belong together, whose they are, where they came from, and what else their transaction does."""

    arrivals: Sequence[Arrival]
    issuer: str
    source: str
    within: Callable[[Session, Filed], None] | None = None


def compared(kept: KeptFiles, batch: Batch) -> dict[Path, Comparison]:
    """The batch's files beside those that are kept under their UIDs already; made before the transaction begins."""
    return {a.path: compare(a, kept.path_of(a.header.sop_instance_uid)) for a in batch.arrivals}


def file_batch(
    session: Session, kept: KeptFiles, batch: Batch, comparisons: Mapping[Path, Comparison]
) -> list[Outcome]:
    """Place the batch's files and write its rows; the caller flushes the folders and commits."""
    outcomes = [_file(session, kept, arrival, batch, comparisons[arrival.path]) for arrival in batch.arrivals]
    if batch.within:
        batch.within(session, filed(batch, outcomes))
    return outcomes


def filed(batch: Batch, outcomes: Sequence[Outcome]) -> Filed:
    """The sum of the outcomes."""
    conflicts = (
        a.header.sop_instance_uid for a, o in zip(batch.arrivals, outcomes, strict=True) if o is Outcome.CONFLICT
    )
    counts = Counter(outcomes)
    return Filed(counts[Outcome.NEW], counts[Outcome.SAME], tuple(conflicts), counts[Outcome.ELSEWHERE])


def is_kept(session: Session, sop_instance_uid: str) -> bool:
    """Whether the index has the instance."""
    return session.scalar(select(Instance.id).where(Instance.sop_instance_uid == sop_instance_uid)) is not None


def source_of(session: Session, sop_instance_uid: str) -> str:
    """Who sent a kept instance, as `Archive.file` was told."""
    return session.scalars(select(Instance.source).where(Instance.sop_instance_uid == sop_instance_uid)).one()


def kept_of(session: Session, sop_instance_uids: Collection[str]) -> set[str]:
    """Those of these instances that the index has."""
    left, found = iter(sop_instance_uids), set()
    while asked := list(islice(left, _ASKED_AT_ONCE)):
        found |= set(session.scalars(select(Instance.sop_instance_uid).where(Instance.sop_instance_uid.in_(asked))))
    return found


def _file(session: Session, kept: KeptFiles, arrival: Arrival, batch: Batch, comparison: Comparison) -> Outcome:
    uid = arrival.header.sop_instance_uid
    found = session.execute(_KEPT, {"uid": uid}).first()
    if found is not None:
        outcome = _again(kept, arrival, found, _current(kept, arrival, comparison))
        is_theirs = outcome is Outcome.CONFLICT or _is_kept_for(session, arrival, batch.issuer)
        return outcome if is_theirs else Outcome.ELSEWHERE
    kept.place(arrival)
    _write_rows(session, arrival, batch)
    return Outcome.NEW


def _is_kept_for(session: Session, arrival: Arrival, issuer: str) -> bool:
    """Whether a kept instance is kept as an image of the patient whose it is now said to be."""
    uid = arrival.header.sop_instance_uid
    return session.execute(_OWNER, {"uid": uid}).one() == (issuer, arrival.header.patient_id)


def _current(kept: KeptFiles, arrival: Arrival, comparison: Comparison) -> Likeness:
    """How alike they are; compared again only where a neighbour of the same transaction has put another file there."""
    path = kept.path_of(arrival.header.sop_instance_uid)
    return (comparison if comparison.stands(path) else compare(arrival, path)).likeness


def _again(kept: KeptFiles, arrival: Arrival, found: Any, likeness: Likeness) -> Outcome:
    """Of an instance whose UID is kept already: the same heals what the disk lost or spoilt, another is set aside."""
    if found.sha256 == arrival.sha256:
        if likeness is not Likeness.SAME_FILE:
            kept.heal(arrival)
        return Outcome.SAME
    is_written_so = found.transfer_syntax_uid == arrival.header.transfer_syntax_uid
    if likeness is Likeness.SAME_CONTENT or (is_written_so and likeness is not Likeness.OTHER):
        return Outcome.SAME
    kept.set_aside(arrival)
    return Outcome.CONFLICT


def _write_rows(session: Session, arrival: Arrival, batch: Batch) -> None:
    series = _series_of(session, arrival.header, batch.issuer)
    if series is None:
        series = _make_series(session, arrival.header, batch.issuer)
    session.execute(_INSERT, _instance(arrival, series, batch.source))


def _series_of(session: Session, header: Header, issuer: str) -> int | None:
    """The key of the series, where an instance of it was filed before: one question instead of three."""
    identity = {
        "issuer": issuer,
        "patient_id": header.patient_id,
        "study": header.study_instance_uid,
        "series": header.series_instance_uid,
    }
    found = session.execute(_SERIES, identity).first()
    if found is None:
        return None
    if is_nameless(found.name):
        _name_late(session, found.patient_key, header)
    return int(found.id)


def _make_series(session: Session, header: Header, issuer: str) -> int:
    patient = _key_of(session, Patient, *_patient(header, issuer))
    _name_late(session, patient, header)
    study = _key_of(session, Study, *_study(header, patient))
    return _key_of(session, Series, *_series(header, study))


def _name_late(session: Session, key: int, header: Header) -> None:
    """Who came without a name has the first that comes; whom it would contradict stays without."""
    patient = session.get_one(Patient, key)
    late = is_nameless(patient.name) and not is_nameless(header.patient_name)
    if late and may_be_one(header.patient_name, header.birth_date, patient.name, patient.birth_date):
        patient.name, patient.search_name = header.patient_name, search_name(header.patient_name)
        patient.birth_date, patient.sex = patient.birth_date or header.birth_date, patient.sex or header.sex
        session.execute(update(Study).where(Study.patient_key == key).values(misplaced=True))


def _key_of(session: Session, table: Any, identity: dict[str, Any], others: dict[str, Any]) -> int:
    """The key of the row with this identity; it is made where there is none. The first to arrive names it."""
    key = session.scalar(select(table.id).filter_by(**identity))
    if key is None:
        key = session.scalar(insert(table).returning(table.id), identity | others)
    assert key is not None
    return int(key)


def _patient(header: Header, issuer: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return (
        {"issuer": issuer, "patient_id": header.patient_id},
        {
            "name": header.patient_name,
            "birth_date": header.birth_date,
            "sex": header.sex,
            "search_name": search_name(header.patient_name),
        },
    )


def _study(header: Header, patient_key: int) -> tuple[dict[str, Any], dict[str, Any]]:
    return (
        {"patient_key": patient_key, "study_instance_uid": header.study_instance_uid},
        {
            "study_date": header.study_date,
            "study_time": header.study_time,
            "description": header.study_description,
            "accession_number": header.accession_number,
            "patient_name": header.patient_name,
            "patient_birth_date": header.birth_date,
            "search_name": search_name(header.patient_name),
        },
    )


def _series(header: Header, study_key: int) -> tuple[dict[str, Any], dict[str, Any]]:
    return (
        {"study_key": study_key, "series_instance_uid": header.series_instance_uid},
        {"number": header.series_number, "description": header.series_description, "modality": header.modality},
    )


def _instance(arrival: Arrival, series_key: int, source: str) -> dict[str, Any]:
    header = arrival.header
    return {
        "series_key": series_key,
        "sop_instance_uid": header.sop_instance_uid,
        "sop_class_uid": header.sop_class_uid,
        "transfer_syntax_uid": header.transfer_syntax_uid,
        "number": header.instance_number,
        "frames": header.frames,
        "size": arrival.size,
        "sha256": arrival.sha256,
        "source": source,
        "arrived": datetime.now(UTC),
        "state": PENDING,
        "reason": "",
    }
