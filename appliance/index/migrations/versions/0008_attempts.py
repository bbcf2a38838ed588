"""The attempts at taking a referral, so that one that ends the service each time can be given up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Nothing is being taken while an index is brought to this version."""
    texts = ("sender", "referral_id", "version", "issuer", "patient_id", "patient_name")
    op.create_table(
        "referral_attempt",
        *(sa.Column(name, sa.String, nullable=False) for name in texts),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("attempts", "total")),
        sa.Column("begun", sa.DateTime, nullable=False),
        sa.Column("given_up", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("sender", "referral_id", name="pk_referral_attempt"),
    )
