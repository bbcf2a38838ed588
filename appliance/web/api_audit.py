"""The audit log over the API."""

import json
from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import select

from appliance.people_tables import AuditEntry
from appliance.web.api_models import AuditOut
from appliance.web.paging import MOST
from appliance.web.visitor import Auditor, people_of

router = APIRouter(prefix="/api/audit", tags=["audit"])


@router.get("")
def entries(
    request: Request,
    visitor: Auditor,  # noqa: ARG001 - whoever may
    before: Annotated[int | None, Query(ge=1, le=MOST)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> list[AuditOut]:
    """The newest entries, or those before a number, newest first."""
    chosen = select(AuditEntry).order_by(AuditEntry.number.desc()).limit(limit)
    if before is not None:
        chosen = chosen.where(AuditEntry.number < before)
    with people_of(request).index.session() as session:
        return [_out(entry) for entry in session.scalars(chosen)]


def _out(entry: AuditEntry) -> AuditOut:
    said = {name: getattr(entry, name) for name in AuditOut.model_fields if name != "detail"}
    return AuditOut(**said, detail=json.loads(entry.detail))
