"""Finds who saw a patient's images: the audit log by Patient ID."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """The entries stay as they are; an index looks into their facts."""
    op.execute(
        "CREATE INDEX ix_audit_patient ON audit "
        "(CASE WHEN json_valid(detail) THEN json_extract(detail, '$.patient') END)"
    )
