"""The tables of what is kept: patient, study, series, instance, rendition."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables of a new index."""
    _patient()
    _study()
    _series()
    _instance()
    _rendition()


def _patient() -> None:
    op.create_table(
        "patient",
        sa.Column("id", sa.Integer, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("issuer", "patient_id", "name", "birth_date", "sex")),
        sa.PrimaryKeyConstraint("id", name="pk_patient"),
        sa.UniqueConstraint("issuer", "patient_id", name="uq_patient_issuer_patient_id"),
    )
    op.create_index("ix_patient_name", "patient", ["name"])


def _study() -> None:
    texts = ("study_instance_uid", "study_date", "study_time", "description", "accession_number")
    op.create_table(
        "study",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("patient_key", sa.Integer, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in texts),
        sa.PrimaryKeyConstraint("id", name="pk_study"),
        sa.ForeignKeyConstraint(["patient_key"], ["patient.id"], name="fk_study_patient_key"),
        sa.UniqueConstraint("patient_key", "study_instance_uid", name="uq_study_patient_key_study_instance_uid"),
    )
    op.create_index("ix_study_study_instance_uid", "study", ["study_instance_uid"])
    op.create_index("ix_study_accession_number", "study", ["accession_number"])
    op.create_index("ix_study_study_date_id", "study", ["study_date", "id"])


def _series() -> None:
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("study_key", sa.Integer, nullable=False),
        sa.Column("series_instance_uid", sa.String, nullable=False),
        sa.Column("number", sa.Integer),
        sa.Column("description", sa.String, nullable=False),
        sa.Column("modality", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
        sa.ForeignKeyConstraint(["study_key"], ["study.id"], name="fk_series_study_key"),
        sa.UniqueConstraint("study_key", "series_instance_uid", name="uq_series_study_key_series_instance_uid"),
    )


def _instance() -> None:
    op.create_table(
        "instance",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("series_key", sa.Integer, nullable=False),
        *(
            sa.Column(name, sa.String, nullable=False)
            for name in ("sop_instance_uid", "sop_class_uid", "transfer_syntax_uid")
        ),
        sa.Column("number", sa.Integer),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("arrived", sa.DateTime, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_instance"),
        sa.ForeignKeyConstraint(["series_key"], ["series.id"], name="fk_instance_series_key"),
        sa.UniqueConstraint("sop_instance_uid", name="uq_instance_sop_instance_uid"),
    )
    op.create_index("ix_instance_series_key", "instance", ["series_key"])
    op.create_index("ix_instance_pending", "instance", ["id"], sqlite_where=sa.text("state = 'pending'"))


def _rendition() -> None:
    op.create_table(
        "rendition",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("instance_key", sa.Integer, nullable=False),
        sa.Column("frame", sa.Integer, nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("columns", sa.Integer, nullable=False),
        sa.Column("window_centre", sa.Double),
        sa.Column("window_width", sa.Double),
        sa.Column("window_function", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rendition"),
        sa.ForeignKeyConstraint(["instance_key"], ["instance.id"], name="fk_rendition_instance_key"),
        sa.UniqueConstraint("instance_key", "frame", name="uq_rendition_instance_key_frame"),
    )
