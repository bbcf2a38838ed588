"""How the appliance is, for whoever watches it: no login, no patient data."""

import shutil

from fastapi import APIRouter, Request
from pydantic import BaseModel

from appliance.referral.attempts import count_given_up
from appliance.referral.outbox import used_bytes
from appliance.upkeep import upkeep
from appliance.web.visitor import people_of

router = APIRouter(tags=["health"])


class HealthOut(BaseModel):
    """Where an appliance stands; `directory` and `settings` are versions, 0 before the first are read.

    A `secure` one shows a certificate, over HTTPS and DICOM TLS. A `closed` one answers on loopback alone, while an
    upgrade judges it. `outbox_bytes` is what referrals on their way need of the outbox, at most `outbox_limit_bytes` (0
    for any number); where it is not `outbox_writable` none leaves. The archive's disk has `archive_bytes`, of which
    `archive_free_bytes` are free. `referrals_given_up` ended the service each time that they were taken, and rest
    a while before they are tried again. `set_aside` counts the files in the archive's folder `conflicts`: what came
    under the UID of another image, or was in no index, for a person to look at. `clock_set` tells whether a time
    server has set the machine's clock, null where it has no time service of its own; `restart_wanted`, whether updates
    wait for the machine to be started again.
    """

    branch: str
    enrolled: bool
    directory: int
    settings: int
    dicom: bool
    pending_renditions: int
    closed: bool
    secure: bool
    outbox_bytes: int
    outbox_limit_bytes: int
    outbox_writable: bool
    archive_bytes: int
    archive_free_bytes: int
    referrals_given_up: int
    set_aside: int
    clock_set: bool | None
    restart_wanted: bool


@router.get("/health")
def health(request: Request) -> HealthOut:
    """Whether it is enrolled, takes DICOM, and how many renditions are still to be made."""
    people = people_of(request)
    now, machine, disk = people.health(), upkeep(), shutil.disk_usage(people.archive.folder)
    with people.index.session() as session:
        outbox_bytes, given_up = used_bytes(session), count_given_up(session)
    return HealthOut(
        branch=people.context.branch,
        enrolled=people.enrolment.enrolled,
        directory=people.directory.floor,
        settings=people.settings.floor,
        dicom=now.dicom,
        pending_renditions=now.pending_renditions,
        closed=now.closed,
        secure=people.secure_port != 0,
        outbox_bytes=outbox_bytes,
        outbox_limit_bytes=people.settings.outbox_bytes(),
        outbox_writable=people.outbox.writable,
        archive_bytes=disk.total,
        archive_free_bytes=disk.free,
        referrals_given_up=given_up,
        set_aside=people.archive.kept.count_aside(),
        clock_set=machine.clock_set,
        restart_wanted=machine.restart_wanted,
    )
