"""Who did what, when and from where: a chain of entries that shows when one of them was changed.

Each entry's digest covers the one before it. The digests also go to the log, so that entries cut off at the end are
missed by whoever keeps the log.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Required, TypedDict, Unpack

import structlog
from sqlalchemy import select

from appliance.people_tables import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from appliance.index.engine import Index

log = structlog.get_logger("appliance.audit")

START = "0" * 64
COVERED = ("number", "at", "who", "address", "action", "subject", "outcome", "detail", "previous")


class Facts(TypedDict, total=False):
    """What an entry says: the action and who did it; to what, with which outcome, from where, and further facts."""

    action: Required[str]
    who: Required[str]
    subject: str
    outcome: str
    address: str
    detail: Mapping[str, Any]


class Audit:
    """The audit log of one appliance."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def record(self, **facts: Unpack[Facts]) -> None:
        """Add an entry, durable when this returns."""
        with self._index.writing() as session:
            self.append(session, **facts)

    def append(self, session: Session, **facts: Unpack[Facts]) -> None:
        """Add an entry within a transaction of `Index.writing`, so that it stands or falls with the deed."""
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.number.desc()).limit(1)).first()
        entry = _entry(last, facts)
        session.add(entry)
        session.flush()
        log.info(
            "audit", number=entry.number, action=entry.action, who=entry.who, outcome=entry.outcome, digest=entry.digest
        )


def _entry(last: AuditEntry | None, facts: Facts) -> AuditEntry:
    entry = AuditEntry(
        number=last.number + 1 if last else 1,
        at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        who=facts["who"],
        address=facts.get("address", ""),
        action=facts["action"],
        subject=facts.get("subject", ""),
        outcome=facts.get("outcome", "done"),
        detail=json.dumps(facts.get("detail", {}), sort_keys=True, ensure_ascii=False, default=str),
        previous=last.digest if last else START,
    )
    entry.digest = digest_of(entry)
    return entry


def digest_of(entry: AuditEntry) -> str:
    """SHA-256 over everything that an entry says, and so over all before it."""
    said = {name: getattr(entry, name) for name in COVERED}
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def broken_at(session: Session) -> int | None:
    """The number of the first entry that is not as it was written, or follows a gap; None where the chain holds."""
    previous, number = START, 0
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.number)).yield_per(1000):
        if (entry.previous, entry.number, entry.digest) != (previous, number + 1, digest_of(entry)):
            return entry.number
        previous, number = entry.digest, entry.number
    return None
