"""How the appliance is, for whoever watches it: no login, no patient data."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from appliance.web.visitor import people_of

router = APIRouter(tags=["health"])


class HealthOut(BaseModel):
    """Where an appliance stands; `directory` and `settings` are versions, 0 before the first are read.

    A `secure` one shows a certificate, over HTTPS and DICOM TLS. A `closed` one answers on loopback alone, while an
    upgrade judges it.
    """

    branch: str
    enrolled: bool
    directory: int
    settings: int
    dicom: bool
    pending_renditions: int
    closed: bool
    secure: bool


@router.get("/health")
def health(request: Request) -> HealthOut:
    """Whether it is enrolled, takes DICOM, and how many renditions are still to be made."""
    people = people_of(request)
    now = people.health()
    return HealthOut(
        branch=people.context.branch,
        enrolled=people.enrolment.enrolled,
        directory=people.directory.floor,
        settings=people.settings.floor,
        dicom=now.dicom,
        pending_renditions=now.pending_renditions,
        closed=now.closed,
        secure=people.secure_port != 0,
    )
