"""Referrals whose time is over by our clock, which may be wrong: each has to be overdue for a while, on end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: So long the service has to see a referral overdue, by time that nobody sets: meanwhile a wrong clock is noticed.
#: Shorter than the day of an appliance that is switched off in the evening.
OVERDUE_S = 6 * 3600.0


class Overdue:
    """Since when each referral is overdue; used by one thread."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def long_enough(self, overdue: Iterable[str]) -> list[str]:
        """Of the ids of all referrals that are overdue now those that have been so for long; others begin anew."""
        now = time.monotonic()
        self._since = {referral_id: self._since.get(referral_id, now) for referral_id in overdue}
        return [referral_id for referral_id, since in self._since.items() if now - since >= OVERDUE_S]
