"""An inbox in a test: whose it is, what lies there, and what is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from appliance.inbox.inbox import Inbox
from appliance.people_tables import AuditEntry
from tests.appliance.community import STAFF

if TYPE_CHECKING:
    from pathlib import Path

    from tests.appliance.hospital import Hospital

LOGIN = "r.devi"


def allow(hospital: Hospital, staff: dict[str, str] = STAFF, *, inbox: bool = True) -> None:
    hospital.community.appoint(hospital.branch, staff, inbox=inbox)
    hospital.people.enrolment.step()


def inbox_of(hospital: Hospital, quiet_s: float = 0.0, patience_s: float = 0.0) -> Inbox:
    people = hospital.people
    made = Inbox(hospital.archive, hospital.branch, people.settings, people.audit, quiet_s, patience_s)
    made.prepare()
    return made


def place(inbox: Inbox) -> Path:
    return inbox.folder / LOGIN


def left(inbox: Inbox) -> list[str]:
    """What lies in the person's folder, but for reports."""
    found = (path.relative_to(place(inbox)) for path in place(inbox).rglob("*") if not path.is_dir())
    return sorted(str(path) for path in found if not path.name.startswith("report "))


def report(inbox: Inbox) -> str:
    """The newest report."""
    return max(place(inbox).glob("report *.txt")).read_text("utf-8-sig")


def reasons(inbox: Inbox) -> str:
    return max((place(inbox) / "not filed").glob("*.txt")).read_text("utf-8-sig")


def entries(hospital: Hospital, action: str) -> list[AuditEntry]:
    with hospital.archive.index.session() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


def spooled(hospital: Hospital) -> list[Path]:
    return list(hospital.archive.spool.iterdir())
