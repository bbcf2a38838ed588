"""Views in the audit log: who looked at which study, once in a while and not for each of its pictures."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appliance.audit import Audit
    from appliance.referral.request import Asker

#: A study that is looked at for longer is one more view.
ONE_VIEW_S = 900.0
REMEMBERED = 10_000


class Views:
    """What was recorded lately; bounded, forgetting costs no more than one further entry."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._lately: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._lock = threading.Lock()
        self._recording = threading.Lock()

    def saw(self, visitor: Asker, study_instance_uid: str, patient_id: str, issuer: str) -> None:
        """Record a view, unless the same person's of the same study from the same address is recorded already."""
        view = visitor.login, visitor.address, f"{issuer}/{patient_id}/{study_instance_uid}"
        if not self._is_new(view):
            return
        with self._recording:
            if self._is_new(view):
                detail = {"patient": patient_id, "issuer": issuer}
                self._audit.record(
                    action="view", who=visitor.login, subject=study_instance_uid, address=visitor.address, detail=detail
                )
                self._remember(view)

    def _is_new(self, view: tuple[str, str, str]) -> bool:
        with self._lock:
            return time.monotonic() - self._lately.get(view, float("-inf")) >= ONE_VIEW_S

    def _remember(self, view: tuple[str, str, str]) -> None:
        """Only now that it is recorded: a look that cannot be is not shown, however often it is tried."""
        with self._lock:
            self._lately[view] = time.monotonic()
            self._lately.move_to_end(view)
            while len(self._lately) > REMEMBERED:
                self._lately.popitem(last=False)
