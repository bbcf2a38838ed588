"""The audit log over the API."""

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from appliance.people_tables import AuditEntry
from appliance.web.api_models import AuditOut
from appliance.web.audit_wanted import Wanted
from appliance.web.visitor import Auditor, people_of

router = APIRouter(prefix="/api/audit", tags=["audit"])


@router.get("")
def entries(
    request: Request,
    visitor: Auditor,  # noqa: ARG001 - whoever may
    wanted: Annotated[Wanted, Depends()],
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> list[AuditOut]:
    """
    The newest entries, newest first; those before a number, of a person, of a patient, of some days.

    `patient` is a Patient ID: entries of looks at that patient's studies and of referrals have it among their facts.
    `since` and `until` are days (`2026-11-20`, UTC), both included.
    """
    with people_of(request).index.session() as session:
        return [_out(entry) for entry in wanted.entries(session, limit)]


def _out(entry: AuditEntry) -> AuditOut:
    said = {name: getattr(entry, name) for name in AuditOut.model_fields if name != "detail"}
    return AuditOut(**said, detail=json.loads(entry.detail))
