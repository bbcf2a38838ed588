"""Which entries of the audit log are asked for: who did what, to what, of which patient, on which days."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, BeforeValidator
from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.orm import Session

from appliance.people_tables import PATIENT_OF_ENTRY, AuditEntry
from appliance.web.paging import MOST

Text = Annotated[str, AfterValidator(str.strip), Query(max_length=1024)]
#: A form sends an empty field for a day that nobody chose.
Day = Annotated[date | None, BeforeValidator(lambda text: text or None), Query()]

FILTERS = {
    "who": AuditEntry.who,
    "action": AuditEntry.action,
    "subject": AuditEntry.subject,
    "patient": literal_column(PATIENT_OF_ENTRY),
}


@dataclass(frozen=True)
class Wanted:
    """Everything that is given must be so, exactly; `patient` is a Patient ID, days are UTC and count whole."""

    who: Text = ""
    action: Text = ""
    subject: Text = ""
    patient: Text = ""
    since: Day = None
    until: Day = None
    before: Annotated[int | None, Query(ge=1, le=MOST)] = None

    def entries(self, session: Session, limit: int) -> list[AuditEntry]:
        """The newest of these entries, newest first; `before` is a number that all have to be below."""
        chosen = select(AuditEntry).where(*self._clauses()).order_by(AuditEntry.number.desc()).limit(limit)
        return list(session.scalars(chosen))

    def given(self) -> dict[str, str]:
        """Every filter as a form shows it."""
        return {name: str(getattr(self, name) or "") for name in (*FILTERS, "since", "until")}

    def _clauses(self) -> list[ColumnElement[bool]]:
        clauses = [column == text for name, column in FILTERS.items() if (text := getattr(self, name))]
        day = func.substr(AuditEntry.at, 1, 10)
        if self.since is not None:
            clauses.append(day >= self.since.isoformat())
        if self.until is not None:
            clauses.append(day <= self.until.isoformat())
        if self.before is not None:
            clauses.append(AuditEntry.number < self.before)
        return clauses
