"""The list of referrals, sent and received, as staff and programs see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Select, func, literal, select, union_all

from appliance.people_tables import ReceivedReferral, ReferralAttempt, SentReferral
from appliance.referral.attempts import reason_of
from appliance.referral.states import GIVEN_UP, OPEN

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import SQLColumnExpression, Subquery
    from sqlalchemy.orm import Session

NEWEST = 500
SENT_BY_US, RECEIVED, ATTEMPTED = "sent", "received", "attempted"
#: A known sender vouches for it; what nobody vouches for is in the audit log only.
_VOUCHED_FOR = ReceivedReferral.total > 0
_RESTS = ReferralAttempt.given_up.is_(True)


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


def referrals(session: Session, branch: str, limit: int = NEWEST, offset: int = 0) -> list[ReferralRow]:
    """Those on their way first, for they can be taken back; then the others; each newest first."""
    entries = _entries()
    order = (entries.c.state.in_(OPEN).desc(), entries.c.at.desc(), entries.c.sender, entries.c.referral_id)
    keys = select(entries.c.kind, entries.c.sender, entries.c.referral_id).order_by(*order)
    page = session.execute(keys.limit(limit).offset(offset)).all()
    found = _rows(session, branch, [row.referral_id for row in page])
    return [found[kind, sender, referral_id] for kind, sender, referral_id in page]


def count_referrals(session: Session) -> int:
    """How many there are in all."""
    return session.scalar(select(func.count()).select_from(_entries())) or 0


def _entries() -> Subquery:
    """What every referral is found and put in order by, in one list."""
    sent, received, attempt = SentReferral, ReceivedReferral, ReferralAttempt
    return union_all(
        _entry(SENT_BY_US, literal(""), sent.referral_id, sent.requested, sent.state),
        _entry(RECEIVED, received.sender, received.referral_id, received.received, received.state).where(_VOUCHED_FOR),
        _entry(ATTEMPTED, attempt.sender, attempt.referral_id, attempt.begun, literal(GIVEN_UP)).where(_RESTS),
    ).subquery()


def _entry(kind: str, *columns: SQLColumnExpression[Any]) -> Select[*tuple[Any, ...]]:
    names = ("sender", "referral_id", "at", "state")
    labelled: list[Any] = [column.label(name) for column, name in zip(columns, names, strict=True)]
    return select(literal(kind).label("kind"), *labelled)


def _rows(session: Session, branch: str, ids: list[str]) -> dict[tuple[str, str, str], ReferralRow]:
    """All referrals of these ids, by kind, sender and id: two branches may use one."""
    sent = session.scalars(select(SentReferral).where(SentReferral.referral_id.in_(ids)))
    received = session.scalars(_named().where(ReceivedReferral.referral_id.in_(ids)))
    given_up = session.scalars(_given_up().where(ReferralAttempt.referral_id.in_(ids)))
    return {
        **{(SENT_BY_US, "", row.referral_id): _sent(row, branch) for row in sent},
        **{(RECEIVED, row.sender, row.referral_id): _received(row, branch) for row in received},
        **{(ATTEMPTED, row.sender, row.referral_id): _attempted(row, branch) for row in given_up},
    }


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
    return select(ReceivedReferral).where(_VOUCHED_FOR)


def _given_up() -> Select[ReferralAttempt]:
    return select(ReferralAttempt).where(_RESTS)


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
