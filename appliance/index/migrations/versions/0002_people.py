"""The tables of staff, sessions, audit, enrolment and referrals; the audit log refuses changes by itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables of people."""
    _audit()
    _account()
    _login_session()
    _remembered()
    _sent_referral()
    _sent_instance()
    _received_referral()


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        *_texts("at", "who", "address", "action", "subject", "outcome", "detail", "previous", "digest"),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
    )
    for column in ("who", "action", "subject"):
        op.create_index(f"ix_audit_{column}", "audit", [column])
    for deed in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{deed.lower()} BEFORE {deed} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END"
        )


def _account() -> None:
    op.create_table(
        "account",
        *_texts("login"),
        sa.Column("password_hash", sa.String),
        *_texts("accepted_code"),
        sa.Column("password_set", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("login", name="pk_account"),
    )


def _login_session() -> None:
    op.create_table(
        "login_session",
        *_texts("token_digest", "login"),
        sa.Column("opened", sa.DateTime, nullable=False),
        sa.Column("seen", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("token_digest", name="pk_login_session"),
    )
    op.create_index("ix_login_session_login", "login_session", ["login"])


def _remembered() -> None:
    op.create_table(
        "remembered",
        *_texts("kind"),
        *_numbers("version"),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("taken", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("kind", name="pk_remembered"),
    )


def _sent_referral() -> None:
    op.create_table(
        "sent_referral",
        *_texts("referral_id", "recipient"),
        *_numbers("sequence"),
        *_texts("issuer", "patient_id", "patient_name", "requested_by"),
        sa.Column("requested", sa.DateTime, nullable=False),
        sa.Column("expires", sa.DateTime, nullable=False),
        sa.Column("frozen", sa.LargeBinary, nullable=False),
        *_texts("state"),
        *_numbers("total", "parcels", "parcels_written", "arrived"),
        *_texts("refused"),
        sa.Column("cleared", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("referral_id", name="pk_sent_referral"),
        sa.UniqueConstraint("sequence", name="uq_sent_referral_sequence"),
    )
    for column in ("recipient", "state"):
        op.create_index(f"ix_sent_referral_{column}", "sent_referral", [column])


def _sent_instance() -> None:
    op.create_table(
        "sent_instance",
        *_texts("referral_id", "sop_instance_uid"),
        sa.PrimaryKeyConstraint("referral_id", "sop_instance_uid", name="pk_sent_instance"),
        sa.ForeignKeyConstraint(["referral_id"], ["sent_referral.referral_id"], name="fk_sent_instance_referral_id"),
    )
    op.create_index("ix_sent_instance_sop_instance_uid", "sent_instance", ["sop_instance_uid"])


def _received_referral() -> None:
    op.create_table(
        "received_referral",
        *_texts("sender", "referral_id"),
        sa.Column("sender_key_id", sa.String),
        sa.Column("sequence", sa.Integer),
        *_texts("issuer", "patient_id", "patient_name"),
        sa.Column("received", sa.DateTime, nullable=False),
        *_texts("state"),
        *_numbers("total", "arrived"),
        *_texts("refused"),
        sa.Column("answered", sa.Boolean, nullable=False),
        sa.Column("gone", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("sender", "referral_id", name="pk_received_referral"),
        sa.UniqueConstraint(
            "sender", "sender_key_id", "sequence", name="uq_received_referral_sender_sender_key_id_sequence"
        ),
    )
    op.create_index("ix_received_referral_state", "received_referral", ["state"])
