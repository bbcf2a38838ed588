"""Whose a study is by its own words: a Patient ID may have been given to two people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_OWN = "(SELECT {0} FROM patient WHERE patient.id = study.patient_key)"


def upgrade() -> None:
    """Studies that are kept already are taken for their patient's."""
    for column, own in (("patient_name", "name"), ("patient_birth_date", "birth_date")):
        op.add_column("study", sa.Column(column, sa.String, nullable=False, server_default=""))
        op.execute(f"UPDATE study SET {column} = {_OWN.format(own)}")  # noqa: S608 - both are words of this file
