"""The tables of what is kept: patient, study, series, instance, rendition."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import DateTime, ForeignKey, Index, MetaData, TypeDecorator, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

#: Whether an instance has its pictures: `none` has nothing to draw, `failed` is tried again by the next version.
PENDING, DONE, NONE, FAILED = "pending", "done", "none", "failed"


class Base(DeclarativeBase):
    """All tables of the index; constraints have names, so that a migration can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Moment(TypeDecorator[datetime]):
    """A time in UTC: SQLite forgets the zone, so it is put back."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Write the time as UTC without its zone."""
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Read the time with its zone, UTC."""
        return value and value.replace(tzinfo=UTC)


class Patient(Base):
    """
    A person as one branch knows them: (issuer, Patient ID). Two branches' patient 1234 are two people.

    What `search_name` makes of the name stands beside it, as it does in a study.
    """

    __tablename__ = "patient"
    __table_args__ = (UniqueConstraint("issuer", "patient_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    issuer: Mapped[str]
    patient_id: Mapped[str]
    name: Mapped[str] = mapped_column(index=True)
    birth_date: Mapped[str]
    sex: Mapped[str]
    search_name: Mapped[str] = mapped_column(server_default="")


class Study(Base):
    """
    A study of one patient. The same UID under another patient is another study: nobody adds to a stranger's.

    The patient as the study itself names them is kept, for a Patient ID may have been given to two people. The pictures
    of a `misplaced` one may lie in a folder with another name than the patient has by now.
    """

    __tablename__ = "study"
    __table_args__ = (UniqueConstraint("patient_key", "study_instance_uid"), Index(None, "study_date", "id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_key: Mapped[int] = mapped_column(ForeignKey("patient.id"))
    study_instance_uid: Mapped[str] = mapped_column(index=True)
    study_date: Mapped[str]
    study_time: Mapped[str]
    description: Mapped[str]
    accession_number: Mapped[str] = mapped_column(index=True)
    patient_name: Mapped[str] = mapped_column(server_default="")
    patient_birth_date: Mapped[str] = mapped_column(server_default="")
    misplaced: Mapped[bool] = mapped_column(default=False, server_default="0")
    search_name: Mapped[str] = mapped_column(server_default="")


#: Finds what is to be moved among many: holds nothing but these. SQLite takes it for no question that is put otherwise
#: (sqlite.org/partialindex.html 3), and SQLAlchemy asks `misplaced = 1`.
Index("ix_study_misplaced", Study.id, sqlite_where=text("misplaced = 1"))


class Series(Base):
    """A series of one study."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("study_key", "series_instance_uid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_key: Mapped[int] = mapped_column(ForeignKey("study.id"))
    series_instance_uid: Mapped[str]
    number: Mapped[int | None]
    description: Mapped[str]
    modality: Mapped[str]


class Instance(Base):
    """A kept file. The SOP Instance UID names it and its place in the archive."""

    __tablename__ = "instance"
    id: Mapped[int] = mapped_column(primary_key=True)
    series_key: Mapped[int] = mapped_column(ForeignKey("series.id"), index=True)
    sop_instance_uid: Mapped[str] = mapped_column(unique=True)
    sop_class_uid: Mapped[str]
    transfer_syntax_uid: Mapped[str]
    number: Mapped[int | None]
    frames: Mapped[int]
    size: Mapped[int]
    sha256: Mapped[str]
    source: Mapped[str]
    arrived: Mapped[datetime] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(default=PENDING)
    reason: Mapped[str] = mapped_column(default="")


#: Finds what is to be rendered among millions: holds nothing but the pending ones.
Index("ix_instance_pending", Instance.id, sqlite_where=Instance.state == PENDING)


class Rendition(Base):
    """A PNG made of one frame, and the window that it was made with; the path counts from the shared folder."""

    __tablename__ = "rendition"
    __table_args__ = (UniqueConstraint("instance_key", "frame"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    instance_key: Mapped[int] = mapped_column(ForeignKey("instance.id"))
    frame: Mapped[int]
    path: Mapped[str]
    rows: Mapped[int]
    columns: Mapped[int]
    window_centre: Mapped[float | None]
    window_width: Mapped[float | None]
    window_function: Mapped[str]
