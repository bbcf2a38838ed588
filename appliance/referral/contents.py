"""What a referral would carry: a patient, with the studies and instances that the recipient has not got."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from appliance.errors import ApplianceError
from appliance.index.models import Instance, Patient, Series, Study
from appliance.index.queries import instances_of_patient
from appliance.keeping.namesakes import is_another, name_of
from appliance.people_tables import SentInstance, SentReferral
from appliance.referral.states import CARRIED
from converter.layout import person
from exchange.manifest import PatientSummary, StudySummary
from exchange.outgoing import OutgoingFile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session


class NoSuchPatient(ApplianceError):
    """The archive has no such patient, or several of that ID and it was not said whose."""


class NotChosen(ApplianceError):
    """It is not said which studies of a Patient ID are to be referred, or one is named that is not there."""


def find_patient(session: Session, patient_id: str, issuer: str | None) -> Patient:
    """The patient of an ID and the branch that issued it.

    Raises
    ------
    NoSuchPatient
        None, or no issuer was given and several branches issued the ID.
    """
    wanted = select(Patient).where(Patient.patient_id == patient_id)
    found = session.scalars(wanted if issuer is None else wanted.where(Patient.issuer == issuer)).all()
    if not found:
        of = f" of {issuer}" if issuer else ""
        raise NoSuchPatient(f"There is no patient {patient_id}{of} here.")
    if len(found) > 1:
        issuers = ", ".join(sorted(patient.issuer for patient in found))
        raise NoSuchPatient(f"Several branches have a patient {patient_id}: say whose ({issuers}).")
    return found[0]


@dataclass(frozen=True)
class StudyChoice:
    """A study as a person chooses it, with the name that it bears itself; `is_another` where that is another one."""

    study_instance_uid: str
    date: str
    description: str
    patient_name: str
    is_another: bool
    modalities: tuple[str, ...]


def choices_of(session: Session, patient: Patient) -> list[StudyChoice]:
    """All studies under a patient's ID, the newest first."""
    modalities = _modalities(session, patient)
    own = select(Study).where(Study.patient_key == patient.id).order_by(Study.study_date.desc(), Study.id.desc())
    return [
        StudyChoice(
            study_instance_uid=study.study_instance_uid,
            date=study.study_date,
            description=study.description,
            patient_name=name_of(study, patient),
            is_another=is_another(study, patient),
            modalities=tuple(sorted(modalities[study.id])),
        )
        for study in session.scalars(own)
    ]


def check_choice(session: Session, patient: Patient, chosen: Collection[str]) -> None:
    """Raise unless it is known which studies are meant: all, of one person's, or those that were chosen.

    Raises
    ------
    NotChosen
        Studies under the ID name several people and none was chosen, or one that is not there.
    """
    there = {choice.study_instance_uid: choice for choice in choices_of(session, patient)}
    if strange := sorted(set(chosen) - set(there)):
        raise NotChosen(f"There is no study {strange[0]} of patient {patient.patient_id} here.")
    others = dict.fromkeys(person(choice.patient_name) for choice in there.values() if choice.is_another)
    if others and not chosen:
        names = ", ".join((person(patient.name), *others))
        raise NotChosen(
            f"Studies with Patient ID {patient.patient_id} name several people ({names}): choose the studies to refer."
        )


def summary_of(patient: Patient) -> PatientSummary:
    """The patient as the manifest names them."""
    return PatientSummary(
        patient_id=patient.patient_id,
        issuer=patient.issuer,
        name=patient.name,
        birth_date=patient.birth_date,
        sex=patient.sex,
    )


def new_files(
    session: Session, patient: Patient, key_id: str, path_of: Callable[[str], Path], chosen: Collection[str] = ()
) -> tuple[OutgoingFile, ...]:
    """The patient's instances that no earlier referral carries to the recipient, under the keys that it has now.

    A branch has new keys when it has lost its disk, and its archive with them. Of `chosen` studies where there are any.
    """
    carried = _carried_to(session, key_id)
    return tuple(
        OutgoingFile(
            sop_instance_uid=kept.sop_instance_uid,
            sop_class_uid=kept.sop_class_uid,
            study_instance_uid=kept.study_instance_uid,
            series_instance_uid=kept.series_instance_uid,
            transfer_syntax_uid=kept.transfer_syntax_uid,
            size=kept.size,
            sha256=kept.sha256,
            path=path_of(kept.sop_instance_uid),
        )
        for kept in instances_of_patient(session, patient.issuer, patient.patient_id)
        if kept.sop_instance_uid not in carried and (not chosen or kept.study_instance_uid in chosen)
    )


def in_parts(files: Sequence[OutgoingFile], most: int) -> list[tuple[OutgoingFile, ...]]:
    """The files in runs of at most so many, for a referral each; a study is parted only where it is larger."""
    studies: dict[str, list[OutgoingFile]] = defaultdict(list)
    for file in files:
        studies[file.study_instance_uid].append(file)
    parts: list[list[OutgoingFile]] = [[]]
    for study in studies.values():
        for start in range(0, len(study), most):
            run = study[start : start + most]
            if len(parts[-1]) + len(run) > most:
                parts.append([])
            parts[-1].extend(run)
    return [tuple(part) for part in parts if part]


def _carried_to(session: Session, key_id: str) -> set[str]:
    carried = (
        select(SentInstance.sop_instance_uid)
        .join(SentReferral)
        .where(SentReferral.recipient_key_id == key_id, SentReferral.state.in_(CARRIED))
    )
    return set(session.scalars(carried))


def studies_of(session: Session, patient: Patient, files: Sequence[OutgoingFile]) -> tuple[StudySummary, ...]:
    """The studies that these files belong to, for the recipient's list."""
    wanted = {file.study_instance_uid for file in files}
    modalities = _modalities(session, patient)
    return tuple(
        StudySummary(
            study_instance_uid=study.study_instance_uid,
            date=study.study_date,
            description=study.description,
            modalities=tuple(sorted(modalities[study.id])),
        )
        for study in session.scalars(select(Study).where(Study.patient_key == patient.id).order_by(Study.id))
        if study.study_instance_uid in wanted
    )


def _modalities(session: Session, patient: Patient) -> dict[int, set[str]]:
    found: dict[int, set[str]] = defaultdict(set)
    rows = select(Series.study_key, Series.modality).join(Study).where(Study.patient_key == patient.id)
    for study_key, modality in session.execute(rows):
        if modality:
            found[study_key].add(modality)
    return found


def kept_uids(session: Session, issuer: str, patient_id: str) -> frozenset[str]:
    """SOP Instance UIDs that are kept of a patient."""
    rows = (
        select(Instance.sop_instance_uid)
        .join(Series)
        .join(Study)
        .join(Patient)
        .where(Patient.issuer == issuer, Patient.patient_id == patient_id)
    )
    return frozenset(session.scalars(rows))
