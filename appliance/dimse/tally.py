"""The tally of an association: what it stored and what was refused, for the log and the audit."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Protocol

import structlog

from appliance.errors import ApplianceError
from appliance.keeping.header import is_uid

if TYPE_CHECKING:
    from appliance.dimse.callers import Caller
    from appliance.dimse.desk import Request
    from appliance.keeping.filing import Filed
    from appliance.keeping.header import Header

log = structlog.get_logger("appliance.dimse")


#: What the audit calls a refusal, where it is not simply one.
ACTIONS = {"0xC111": "conflict"}

#: So many of the instances that were refused for one reason are named in the audit; the machine's journal names all.
NAMED = 20

ELSEWHERE = "kept before, as images of another patient"


class Recorder(Protocol):
    """The audit log, as far as it is needed here."""

    def record(self, *, action: str, who: str, subject: str, detail: dict[str, object], outcome: str) -> None:
        """Append an entry."""


@dataclass
class Told:
    """Instances of which one thing is to be told: how many, the first of them by name, and why."""

    instances: int = 0
    sop_instance_uids: list[str] = field(default_factory=list)
    reason: str = ""

    def add(self, sop_instance_uid: str, reason: str) -> None:
        """Count one more."""
        self.instances += 1
        self.reason = self.reason or reason
        if len(self.sop_instance_uids) < NAMED and is_uid(sop_instance_uid):
            self.sop_instance_uids.append(sop_instance_uid)


class Tally:
    """What one association brought, by study, and what was refused, by status."""

    def __init__(self, caller: Caller, recorder: Recorder) -> None:
        self.caller = caller
        self._recorder = recorder
        self._begin()

    def _begin(self) -> None:
        self._kept: Counter[str] = Counter()
        self._elsewhere: defaultdict[str, Told] = defaultdict(Told)
        self._refused: defaultdict[str, Told] = defaultdict(Told)

    def count(self, header: Header, filed: Filed) -> None:
        """Count an instance that is kept; one that was kept before is news only where it is another patient's."""
        if filed.new:
            self._kept[header.study_instance_uid] += 1
        elif filed.elsewhere:
            self._elsewhere[header.study_instance_uid].add(header.sop_instance_uid, ELSEWHERE)
            self._log(header.sop_instance_uid).warning("instance elsewhere", reason=ELSEWHERE)

    def refuse(self, request: Request, status: int, error: Exception) -> None:
        """Tell the log of an instance that is not kept, and count it."""
        code, is_ours = f"0x{status:04X}", isinstance(error, ApplianceError)
        line = self._log(request.sop_instance_uid[:64]).bind(status=code)
        if is_ours:
            line.warning("instance refused", reason=str(error))
        else:
            line.error("instance refused", exc_info=error)
        self._refused[code].add(request.sop_instance_uid, str(error) if is_ours else "")

    def close(self) -> None:
        """Write the sums down; the association is over."""
        kept, elsewhere, refused = self._kept, self._elsewhere, self._refused
        self._begin()
        for study, instances in kept.items():
            self._record("import", study, {"instances": instances}, "done")
        for study, told in elsewhere.items():
            self._record("import-elsewhere", study, asdict(told), "done")
        for status, told in refused.items():
            self._record(ACTIONS.get(status, "import-refused"), "", asdict(told) | {"status": status}, "refused")
        if kept or refused:
            log.info(
                "association ended",
                caller=self.caller.ae_title,
                address=self.caller.address,
                kept=kept.total(),
                refused=sum(told.instances for told in refused.values()),
            )

    def turned_away(self, reason: str) -> None:
        """Tell of a caller that wanted to store and may not."""
        log.warning("caller refused", caller=self.caller.ae_title, address=self.caller.address, reason=reason)
        self._record("import-refused", "", {"reason": reason}, "refused")

    def _log(self, sop_instance_uid: str) -> structlog.typing.FilteringBoundLogger:
        bound: structlog.typing.FilteringBoundLogger = log.bind(
            caller=self.caller.ae_title, address=self.caller.address, sop_instance_uid=sop_instance_uid
        )
        return bound

    def _record(self, action: str, subject: str, detail: dict[str, object], outcome: str) -> None:
        """Append to the audit; where the disk has no room for it, the machine's journal keeps the line."""
        entry = {"action": action, "who": self.caller.ae_title, "subject": subject, "outcome": outcome}
        facts = {**detail, "peer": self.caller.address}
        try:
            self._recorder.record(**entry, detail=facts)
        except ApplianceError as error:
            log.warning("not in the audit", reason=str(error), **entry, **facts)
