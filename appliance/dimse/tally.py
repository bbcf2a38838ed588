"""The tally of an association: what it stored and what was refused, for the log and the audit."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Protocol

import structlog

from appliance.errors import ApplianceError
from appliance.keeping.header import is_uid

if TYPE_CHECKING:
    from appliance.dimse.callers import Caller
    from appliance.dimse.desk import Request
    from appliance.keeping.spool import Arrival

log = structlog.get_logger("appliance.dimse")


#: What the audit calls a refusal, where it is not simply one.
ACTIONS = {"0xC111": "conflict"}

#: So many of the instances that were refused for one reason are named in the audit; the machine's journal names all.
NAMED = 20


class Recorder(Protocol):
    """The audit log, as far as it is needed here."""

    def record(self, *, action: str, who: str, subject: str, detail: dict[str, object], outcome: str) -> None:
        """Append an entry."""


class Tally:
    """What one association brought, by study."""

    def __init__(self, caller: Caller, recorder: Recorder) -> None:
        self.caller = caller
        self._recorder = recorder
        self._kept: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._named: defaultdict[str, list[str]] = defaultdict(list)

    def count(self, arrival: Arrival | None) -> None:
        """Count an instance that is kept; None is one that was kept before."""
        if arrival is not None:
            self._kept[arrival.header.study_instance_uid] += 1

    def refuse(self, request: Request, status: int, error: Exception) -> None:
        """Tell the log of an instance that is not kept, and count it."""
        line = log.bind(
            caller=self.caller.ae_title,
            address=self.caller.address,
            sop_instance_uid=request.sop_instance_uid[:64],
            status=f"0x{status:04X}",
        )
        if isinstance(error, ApplianceError):
            line.warning("instance refused", reason=str(error))
        else:
            line.error("instance refused", exc_info=error)
        self._refused[f"0x{status:04X}"] += 1
        named = self._named[f"0x{status:04X}"]
        if len(named) < NAMED and is_uid(request.sop_instance_uid):
            named.append(request.sop_instance_uid)

    def close(self) -> None:
        """Write the sums down; the association is over."""
        kept, refused, named = self._kept, self._refused, self._named
        self._kept, self._refused, self._named = Counter(), Counter(), defaultdict(list)
        for study, instances in kept.items():
            self._record("import", study, {"instances": instances}, "done")
        for status, instances in refused.items():
            detail = {"instances": instances, "status": status, "sop_instance_uids": named[status]}
            self._record(ACTIONS.get(status, "import-refused"), "", detail, "refused")
        if kept or refused:
            log.info(
                "association ended",
                caller=self.caller.ae_title,
                address=self.caller.address,
                kept=kept.total(),
                refused=refused.total(),
            )

    def turned_away(self, reason: str) -> None:
        """Tell of a caller that wanted to store and may not."""
        log.warning("caller refused", caller=self.caller.ae_title, address=self.caller.address, reason=reason)
        self._record("import-refused", "", {"reason": reason}, "refused")

    def _record(self, action: str, subject: str, detail: dict[str, object], outcome: str) -> None:
        """Append to the audit; where the disk has no room for it, the machine's journal keeps the line."""
        entry = {"action": action, "who": self.caller.ae_title, "subject": subject, "outcome": outcome}
        facts = {**detail, "peer": self.caller.address}
        try:
            self._recorder.record(**entry, detail=facts)
        except ApplianceError as error:
            log.warning("not in the audit", reason=str(error), **entry, **facts)
