"""What goes in and out of the JSON API."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Short = Annotated[str, Field(min_length=1, max_length=1024)]


class Out(BaseModel):
    """What goes out is read from rows and values by their attributes."""

    model_config = ConfigDict(from_attributes=True)


class In(BaseModel):
    """What comes in says no more than was asked for."""

    model_config = ConfigDict(extra="forbid")


class LoginIn(In):
    """Who wants a session."""

    login: Short
    password: Short


class InvitationIn(In):
    """An invitation that is accepted, and the password that is set."""

    login: Short
    code: Short
    password: Short


class StudyFacts(Out):
    """
    What is told of every study; `pending` counts instances whose pictures are still to be made.

    Nobody knows how many instances of a study are still to come: `last_arrival` is when the last of them came.
    `first_named` is not empty where the study names another person than the one first seen with its Patient ID.
    `address` names this study under `/api/studies/`, also where other patients have one of the same UID.
    """

    address: str
    study_instance_uid: str
    patient_id: str
    patient_name: str
    first_named: str
    issuer: str
    study_date: str
    description: str
    modalities: list[str]
    instances: int
    pictures: int
    pending: int
    last_arrival: datetime


class StudyOut(StudyFacts):
    """A study in a list; `series` counts them."""

    series: int


class PictureOut(Out):
    """A rendition: where it is here, and where in the shared folder."""

    frame: int
    url: str
    path: str


class InstanceOut(Out):
    """An instance; `reason` says why it has no pictures where its state is failed."""

    sop_instance_uid: str
    number: int | None
    frames: int
    state: str
    reason: str
    pictures: list[PictureOut]


class SeriesOut(Out):
    """A series with its instances."""

    series_instance_uid: str
    number: int | None
    description: str
    modality: str
    instances: list[InstanceOut]


class StudyContentOut(StudyFacts):
    """A study with its series."""

    series: list[SeriesOut]


class ReferralIn(In):
    """Which patient's images shall go where; `issuer` where several branches issued the ID.

    All studies go, or those of the `studies` whose Study Instance UIDs are given; where studies with this Patient ID
    name several people, they have to be.
    """

    patient_id: Short
    issuer: Short | None = None
    to: Short
    studies: Annotated[list[Short], Field(min_length=1, max_length=1000)] | None = None


class SenderIn(In):
    """Whose referral is meant: two branches may use one id."""

    sender: Short


class RequestedOut(Out):
    """A referral that was asked for; no instances where the recipient has, or is sent, everything by this one."""

    referral_id: str
    instances: int


class ReferralOut(Out):
    """A referral, sent or received."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    referral_id: str
    direction: Literal["sent", "received"]
    sender: str = Field(serialization_alias="from")
    recipient: str = Field(serialization_alias="to")
    issuer: str
    patient_id: str
    patient_name: str
    total: int
    arrived: int
    state: str
    refused: str
    at: datetime
    requested_by: str
    parcels: int
    parcels_written: int


class AuditOut(Out):
    """An entry of the audit log; its digest covers the one before it."""

    number: int
    at: datetime
    who: str
    address: str
    action: str
    subject: str
    outcome: str
    detail: dict[str, Any]
    digest: str
