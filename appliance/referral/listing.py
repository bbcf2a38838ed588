"""The list of referrals, sent and received, as staff and programs see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Select, select

from appliance.people_tables import ReceivedReferral, ReferralAttempt, SentReferral
from appliance.referral.attempts import reason_of
from appliance.referral.states import GIVEN_UP, OPEN

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

NEWEST = 500


@dataclass(frozen=True)
class ReferralRow:
    """A referral, whichever way it goes. `parcels_written` of `parcels` lie in the outbox of a sent one."""

    referral_id: str
    direction: Literal["sent", "received"]
    sender: str
    recipient: str
    issuer: str
    patient_id: str
    patient_name: str
    total: int
    arrived: int
    state: str
    refused: str
    at: datetime
    requested_by: str = ""
    parcels: int = 0
    parcels_written: int = 0

    @property
    def open(self) -> bool:
        """Whether it is still on its way."""
        return self.state in OPEN

    @property
    def given_up(self) -> bool:
        """Whether it rests before it is tried again; an admin may have it tried at once."""
        return self.state == GIVEN_UP


def referrals(session: Session, branch: str, limit: int = NEWEST) -> list[ReferralRow]:
    """The newest referrals of this branch, newest first."""
    sent = session.scalars(select(SentReferral).order_by(SentReferral.requested.desc()).limit(limit))
    received = session.scalars(_named().order_by(ReceivedReferral.received.desc()).limit(limit))
    given_up = session.scalars(_given_up().order_by(ReferralAttempt.begun.desc()).limit(limit))
    rows = [
        *(_sent(row, branch) for row in sent),
        *(_received(row, branch) for row in received),
        *(_attempted(row, branch) for row in given_up),
    ]
    return sorted(rows, key=lambda row: row.at, reverse=True)[:limit]


def referral(session: Session, branch: str, referral_id: str) -> ReferralRow | None:
    """One referral."""
    if (sent := session.get(SentReferral, referral_id)) is not None:
        return _sent(sent, branch)
    received = session.scalars(_named().where(ReceivedReferral.referral_id == referral_id)).first()
    if received is not None:
        return _received(received, branch)
    given_up = session.scalars(_given_up().where(ReferralAttempt.referral_id == referral_id)).first()
    return _attempted(given_up, branch) if given_up is not None else None


def _named() -> Select[ReceivedReferral]:
    """Those that a known sender vouches for; what nobody does is in the audit log only."""
    return select(ReceivedReferral).where(ReceivedReferral.total > 0)


def _given_up() -> Select[ReferralAttempt]:
    return select(ReferralAttempt).where(ReferralAttempt.given_up)


def _attempted(row: ReferralAttempt, branch: str) -> ReferralRow:
    return ReferralRow(
        referral_id=row.referral_id,
        direction="received",
        sender=row.sender,
        recipient=branch,
        issuer=row.issuer or row.sender,
        patient_id=row.patient_id,
        patient_name=row.patient_name,
        total=row.total,
        arrived=0,
        state=GIVEN_UP,
        refused=reason_of(row),
        at=row.begun,
    )


def _sent(row: SentReferral, branch: str) -> ReferralRow:
    return ReferralRow(
        referral_id=row.referral_id,
        direction="sent",
        sender=branch,
        recipient=row.recipient,
        issuer=row.issuer,
        patient_id=row.patient_id,
        patient_name=row.patient_name,
        total=row.total,
        arrived=row.arrived,
        state=row.state,
        refused=row.refused,
        at=row.requested,
        requested_by=row.requested_by,
        parcels=row.parcels,
        parcels_written=row.parcels_written,
    )


def _received(row: ReceivedReferral, branch: str) -> ReferralRow:
    return ReferralRow(
        referral_id=row.referral_id,
        direction="received",
        sender=row.sender,
        recipient=branch,
        issuer=row.issuer,
        patient_id=row.patient_id,
        patient_name=row.patient_name,
        total=row.total,
        arrived=row.arrived,
        state=row.state,
        refused=row.refused,
        at=row.received,
    )
