"""The page of the audit log, for admins."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import select

from appliance.audit import broken_at
from appliance.people_tables import AuditEntry
from appliance.web.page import page
from appliance.web.paging import MOST
from appliance.web.visitor import Auditor, people_of

router = APIRouter(include_in_schema=False)

ENTRIES_A_PAGE = 100
FILTERS = {"who": AuditEntry.who, "action": AuditEntry.action, "subject": AuditEntry.subject}

Text = Annotated[str, Query(max_length=1024)]


@router.get("/audit")
def audit_page(
    request: Request,
    visitor: Auditor,
    who: Text = "",
    action: Text = "",
    subject: Text = "",
    before: Annotated[int | None, Query(ge=1, le=MOST)] = None,
    check: bool = False,
) -> Response:
    """The newest entries, or those before a number; on request the whole chain is checked."""
    wanted = {"who": who.strip(), "action": action.strip(), "subject": subject.strip()}
    chosen = select(AuditEntry).where(*(FILTERS[name] == text for name, text in wanted.items() if text))
    if before is not None:
        chosen = chosen.where(AuditEntry.number < before)
    with people_of(request).index.session() as session:
        entries = session.scalars(chosen.order_by(AuditEntry.number.desc()).limit(ENTRIES_A_PAGE)).all()
        verdict = _verdict(broken_at(session)) if check else ""
    older = entries[-1].number if len(entries) == ENTRIES_A_PAGE else None
    return page(request, "audit.html", visitor, entries=entries, wanted=wanted, older=older, verdict=verdict)


def _verdict(broken: int | None) -> str:
    if broken is None:
        return "Every entry is as it was written."
    return f"Entry {broken} is not as it was written, or an entry before it is missing."
