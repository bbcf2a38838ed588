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

    def saw(self, visitor: Asker, study_instance_uid: str, patient_id: str, issuer: str) -> None:
        """Record a view, unless the same person's of the same study from the same address is recorded already."""
        if self._is_new((visitor.login, visitor.address, f"{issuer}/{patient_id}/{study_instance_uid}")):
            self._audit.record(
                action="view",
                who=visitor.login,
                subject=study_instance_uid,
                address=visitor.address,
                detail={"patient": patient_id, "issuer": issuer},
            )

    def _is_new(self, view: tuple[str, str, str]) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._lately.get(view, float("-inf")) < ONE_VIEW_S:
                return False
            self._lately[view] = now
            self._lately.move_to_end(view)
            while len(self._lately) > REMEMBERED:
                self._lately.popitem(last=False)
        return True
