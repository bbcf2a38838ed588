"""Which studies' pictures may lie in another folder than they should, since their patient has got a name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

#: A patient who came without a name has a study that has none: all of these are looked at once.
_LATE = "patient_key IN (SELECT patient_key FROM study WHERE trim(patient_name, '^= ') = '')"


def upgrade() -> None:
    """Those of patients who came first without a name may."""
    op.add_column("study", sa.Column("misplaced", sa.Boolean, nullable=False, server_default="0"))
    op.create_index("ix_study_misplaced", "study", ["id"], sqlite_where=sa.text("misplaced = 1"))
    op.execute(f"UPDATE study SET misplaced = 1 WHERE {_LATE}")  # noqa: S608 - a word of this file
