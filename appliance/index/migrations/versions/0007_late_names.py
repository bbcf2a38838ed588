"""The name of a patient who came first without one, from the first study that has one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_PATIENT = sa.table("patient", *map(sa.column, ("id", "name", "birth_date")))
_STUDY = sa.table("study", *map(sa.column, ("id", "patient_key", "patient_name", "patient_birth_date")))


def upgrade() -> None:
    """Name them as a study that arrives now would; whom a birth date would contradict stays without."""
    connection = op.get_bind()
    for patient in connection.execute(sa.select(_PATIENT).where(_says_nothing(_PATIENT.c.name))).all():
        if named := connection.execute(_named(patient)).first():
            values = {"name": named.patient_name, "birth_date": patient.birth_date or named.patient_birth_date}
            connection.execute(sa.update(_PATIENT).where(_PATIENT.c.id == patient.id).values(values))


def _named(patient: sa.Row[tuple[int, str, str]]) -> sa.Select[*tuple[object, ...]]:
    born = _STUDY.c.patient_birth_date
    own = _STUDY.c.patient_key == patient.id
    alike = sa.true() if not patient.birth_date else born.in_(("", patient.birth_date))
    return sa.select(_STUDY).where(own, alike, ~_says_nothing(_STUDY.c.patient_name)).order_by(_STUDY.c.id).limit(1)


def _says_nothing(name: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Empty, or separators alone (PS3.5 6.2.1)."""
    return sa.func.trim(name, "^= ") == ""
