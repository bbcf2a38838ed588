"""The page of the audit log, for admins."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from appliance.audit import broken_at
from appliance.web.audit_wanted import Wanted
from appliance.web.page import page
from appliance.web.visitor import Auditor, people_of

router = APIRouter(include_in_schema=False)

ENTRIES_A_PAGE = 100


@router.get("/audit")
def audit_page(
    request: Request, visitor: Auditor, wanted: Annotated[Wanted, Depends()], check: bool = False
) -> Response:
    """The newest entries, or those before a number; on request the whole chain is checked."""
    with people_of(request).index.session() as session:
        entries = wanted.entries(session, ENTRIES_A_PAGE)
        verdict = _verdict(broken_at(session)) if check else ""
    older = entries[-1].number if len(entries) == ENTRIES_A_PAGE else None
    return page(request, "audit.html", visitor, entries=entries, wanted=wanted.given(), older=older, verdict=verdict)


def _verdict(broken: int | None) -> str:
    if broken is None:
        return "Every entry is as it was written."
    return f"Entry {broken} is not as it was written, or an entry before it is missing."
