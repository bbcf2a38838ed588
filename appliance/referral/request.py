"""The request to refer a patient: what is new for the recipient is frozen in the index, and sent from there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select, true, update

from appliance.errors import ApplianceError
from appliance.index.models import Instance, Series, Study
from appliance.people_tables import SentInstance, SentReferral
from appliance.referral.contents import check_choice, find_patient, in_parts, new_files, studies_of, summary_of
from appliance.referral.outbox import check_room
from appliance.referral.states import CARRIED, OPEN, PREPARED, WITHDRAWN
from exchange.errors import NoDirectory
from exchange.manifest import MAX_INSTANCES
from exchange.outgoing import Outgoing, new_referral, next_sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from sqlalchemy.orm import Session

    from appliance.audit import Audit
    from appliance.enrolment.directory import KnownDirectory
    from appliance.index.engine import Index
    from appliance.index.models import Patient
    from exchange.directory import Directory
    from exchange.outgoing import OutgoingFile


class NothingToRefer(ApplianceError):
    """The patient has no images here."""


class NotOpen(ApplianceError):
    """There is no such referral that could still be withdrawn."""


@dataclass(frozen=True)
class Requested:
    """The answer to a request: a new referral, or the last one where the recipient has, or is sent, everything.

    More instances than one referral may hold take several; then it is the one that is sent last.
    """

    referral_id: str
    instances: int
    new: bool


@dataclass(frozen=True)
class Asker:
    """Who asks, and from where."""

    login: str
    address: str


@dataclass(frozen=True)
class Desk:
    """Where referrals are asked for and withdrawn.

    `path_of` tells where the archive keeps an instance; `wake` is called once there is something to send;
    `outbox_limit` tells how many bytes the outbox may hold, 0 for any number.
    """

    branch: str
    index: Index
    directory: KnownDirectory
    audit: Audit
    path_of: Callable[[str], Path]
    wake: Callable[[], None]
    outbox_limit: Callable[[], int]

    def request(
        self, patient_id: str, issuer: str | None, recipient: str, by: Asker, studies: Collection[str] = ()
    ) -> Requested:
        """Freeze a referral of what the recipient has not got of a patient, or of some studies.

        Raises
        ------
        NoSuchPatient, NothingToRefer, NotChosen
        OutboxFull
            It does not fit beside what is on its way.
        exchange.errors.NotAllowed
            The directory does not allow it.
        exchange.errors.NotYet
            There is no directory, or it has expired.
        """
        directory = self._directory()
        directory.check_referral(self.branch, recipient)
        key_id = directory.branch(recipient).keys.fingerprint
        with self.index.writing() as session:
            patient = find_patient(session, patient_id, issuer)
            check_choice(session, patient, studies)
            files = new_files(session, patient, key_id, self.path_of, frozenset(studies))
            if not files:
                return _earlier(session, patient, key_id, studies)
            for part in in_parts(files, MAX_INSTANCES):
                outgoing = self._freeze(session, directory, patient, recipient, part, by)
        self.wake()
        return Requested(outgoing.referral_id, len(files), new=True)

    def withdraw(self, referral_id: str, by: Asker) -> None:
        """Take a referral back that has not arrived; it leaves the outbox soon after.

        Raises
        ------
        NotOpen
        """
        with self.index.writing() as session:
            row = session.get(SentReferral, referral_id)
            if row is None or row.state not in OPEN:
                raise NotOpen("There is no such referral that could still be withdrawn.")
            row.state, row.refused = WITHDRAWN, f"withdrawn by {by.login}"
            detail = {"patient": row.patient_id, "issuer": row.issuer, "to": row.recipient}
            self._record(session, "withdraw", referral_id, by, detail)
        self.wake()

    def _directory(self) -> Directory:
        if self.directory.value is None:
            raise NoDirectory("This appliance is not enrolled yet: it knows no other branch.")
        return self.directory.value

    def _freeze(
        self,
        session: Session,
        directory: Directory,
        patient: Patient,
        recipient: str,
        files: tuple[OutgoingFile, ...],
        by: Asker,
    ) -> Outgoing:
        now = datetime.now(UTC)
        outgoing = new_referral(
            directory,
            sender=self.branch,
            recipient=recipient,
            sequence=following_sequence(session, now),
            patient=summary_of(patient),
            studies=studies_of(session, patient, files),
            files=files,
            now=now,
        )
        check_room(session, outgoing.sealed_bytes, self.outbox_limit())
        session.add(sent_referral(outgoing, patient.name, by.login))
        detail = {"patient": patient.patient_id, "issuer": patient.issuer, "to": recipient, "instances": len(files)}
        self._record(session, "refer", outgoing.referral_id, by, detail)
        return outgoing

    def _record(self, session: Session, action: str, referral_id: str, by: Asker, detail: Mapping[str, object]) -> None:
        self.audit.append(session, action=action, who=by.login, address=by.address, subject=referral_id, detail=detail)


def following_sequence(session: Session, now: datetime) -> int:
    """The number of the next referral."""
    return next_sequence(session.scalar(select(func.max(SentReferral.sequence))) or 0, now)


def sent_referral(outgoing: Outgoing, patient_name: str, requested_by: str) -> SentReferral:
    """The row of a frozen referral."""
    return SentReferral(
        referral_id=outgoing.referral_id,
        recipient=outgoing.recipient,
        sequence=outgoing.sequence,
        issuer=outgoing.patient.issuer,
        patient_id=outgoing.patient.patient_id,
        patient_name=patient_name,
        requested_by=requested_by,
        requested=outgoing.issued,
        expires=outgoing.expires,
        frozen=outgoing.encode(),
        state=PREPARED,
        total=len(outgoing.files),
        sealed_bytes=outgoing.sealed_bytes,
        recipient_key_id=outgoing.recipient_key_id,
        instances=[SentInstance(sop_instance_uid=file.sop_instance_uid) for file in outgoing.files],
    )


def _earlier(session: Session, patient: Patient, key_id: str, studies: Collection[str]) -> Requested:
    """The last referral that carries the patient there, or one of these studies."""
    of_them = (
        select(SentInstance.referral_id)
        .join(Instance, Instance.sop_instance_uid == SentInstance.sop_instance_uid)
        .join(Series, Instance.series_key == Series.id)
        .join(Study, Series.study_key == Study.id)
        .where(Study.patient_key == patient.id, Study.study_instance_uid.in_(studies))
    )
    last = session.scalars(
        select(SentReferral)
        .where(
            SentReferral.recipient_key_id == key_id,
            SentReferral.issuer == patient.issuer,
            SentReferral.patient_id == patient.patient_id,
            SentReferral.state.in_(CARRIED),
            SentReferral.referral_id.in_(of_them) if studies else true(),
        )
        .order_by(SentReferral.sequence.desc())
    ).first()
    if last is None:
        raise NothingToRefer(f"There are no images of patient {patient.patient_id} here.")
    return Requested(last.referral_id, 0, new=False)


def change_state(session: Session, referral_id: str, before: tuple[str, ...], **values: object) -> bool:
    """Change a referral's row if it is still in one of the states `before`; whether it was."""
    changed = session.execute(
        update(SentReferral)
        .where(SentReferral.referral_id == referral_id, SentReferral.state.in_(before))
        .values(values)
    )
    return bool(changed.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it
