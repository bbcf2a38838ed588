"""The tables of staff, sessions, audit, enrolment and referrals, in the same index as the archive's."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import DDL, BigInteger, ForeignKey, LargeBinary, UniqueConstraint, event
from sqlalchemy.orm import Mapped, mapped_column, relationship

from appliance.index.models import Base, Moment


class AuditEntry(Base):
    """One thing that somebody did; its digest covers the digest before it. Never changed, never deleted."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str]
    who: Mapped[str] = mapped_column(index=True)
    address: Mapped[str]
    action: Mapped[str] = mapped_column(index=True)
    subject: Mapped[str] = mapped_column(index=True)
    outcome: Mapped[str]
    detail: Mapped[str]
    previous: Mapped[str]
    digest: Mapped[str]


#: Whose images an entry speaks of, where it does: the Patient ID among its further facts (sqlite.org/expridx.html).
PATIENT_OF_ENTRY = "CASE WHEN json_valid(detail) THEN json_extract(detail, '$.patient') END"
_of_a_patient = DDL(f"CREATE INDEX ix_audit_patient ON audit ({PATIENT_OF_ENTRY})")  # type: ignore[no-untyped-call]  # SQLAlchemy gives it no types
event.listen(AuditEntry.__table__, "after_create", _of_a_patient)

for _deed in ("UPDATE", "DELETE"):
    _refusal = DDL(  # type: ignore[no-untyped-call]  # SQLAlchemy gives it no types
        f"CREATE TRIGGER audit_no_{_deed.lower()} BEFORE {_deed} ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END"
    )
    event.listen(AuditEntry.__table__, "after_create", _refusal)


class Account(Base):
    """What the appliance itself keeps of a person: who is staff, and with which role, the settings say."""

    __tablename__ = "account"

    login: Mapped[str] = mapped_column(primary_key=True)
    password_hash: Mapped[str | None]
    accepted_code: Mapped[str]
    password_set: Mapped[datetime] = mapped_column(Moment)
    smb_hash: Mapped[str | None]


class LoginSession(Base):
    """A session, found by the digest of its token: who reads the index cannot take one over."""

    __tablename__ = "login_session"

    token_digest: Mapped[str] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(index=True)
    opened: Mapped[datetime] = mapped_column(Moment)
    seen: Mapped[datetime] = mapped_column(Moment)


class Remembered(Base):
    """The newest directory or settings that were read: nothing older is taken, a lost exchange locks nobody out."""

    __tablename__ = "remembered"

    kind: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    taken: Mapped[datetime] = mapped_column(Moment)


class SentReferral(Base):
    """A referral of ours to another branch, from the request to its end."""

    __tablename__ = "sent_referral"
    __table_args__ = (UniqueConstraint("sequence"),)

    referral_id: Mapped[str] = mapped_column(primary_key=True)
    recipient: Mapped[str] = mapped_column(index=True)
    sequence: Mapped[int]
    issuer: Mapped[str]
    patient_id: Mapped[str]
    patient_name: Mapped[str]
    requested_by: Mapped[str]
    requested: Mapped[datetime] = mapped_column(Moment)
    expires: Mapped[datetime] = mapped_column(Moment)
    frozen: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    state: Mapped[str] = mapped_column(index=True)
    total: Mapped[int]
    parcels: Mapped[int] = mapped_column(default=0)
    parcels_written: Mapped[int] = mapped_column(default=0)
    arrived: Mapped[int] = mapped_column(default=0)
    refused: Mapped[str] = mapped_column(default="")
    cleared: Mapped[bool] = mapped_column(default=False)
    sealed_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    recipient_key_id: Mapped[str] = mapped_column(default="", server_default="")
    instances: Mapped[list[SentInstance]] = relationship(cascade="all, delete-orphan")


class SentInstance(Base):
    """An instance that a referral carries, so that the next one to the same branch carries only what is new."""

    __tablename__ = "sent_instance"

    referral_id: Mapped[str] = mapped_column(ForeignKey("sent_referral.referral_id"), primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(primary_key=True, index=True)


class ReceivedReferral(Base):
    """A referral from another branch that was filed, or refused for good; the pair of sender and id is its name."""

    __tablename__ = "received_referral"
    __table_args__ = (UniqueConstraint("sender", "sender_key_id", "sequence"),)

    sender: Mapped[str] = mapped_column(primary_key=True)
    referral_id: Mapped[str] = mapped_column(primary_key=True)
    sender_key_id: Mapped[str | None]
    sequence: Mapped[int | None]
    issuer: Mapped[str] = mapped_column(default="")
    patient_id: Mapped[str] = mapped_column(default="")
    patient_name: Mapped[str] = mapped_column(default="")
    received: Mapped[datetime] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(index=True)
    total: Mapped[int] = mapped_column(default=0)
    arrived: Mapped[int] = mapped_column(default=0)
    refused: Mapped[str] = mapped_column(default="")
    answered: Mapped[bool] = mapped_column(default=False)
    gone: Mapped[bool] = mapped_column(default=False)


class ReferralAttempt(Base):
    """A referral that is being taken, or was when the service ended; its row goes when an attempt comes to an end."""

    __tablename__ = "referral_attempt"

    sender: Mapped[str] = mapped_column(primary_key=True)
    referral_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str]
    attempts: Mapped[int]
    begun: Mapped[datetime] = mapped_column(Moment)
    given_up: Mapped[bool] = mapped_column(default=False)
    issuer: Mapped[str] = mapped_column(default="")
    patient_id: Mapped[str] = mapped_column(default="")
    patient_name: Mapped[str] = mapped_column(default="")
    total: Mapped[int] = mapped_column(default=0)
