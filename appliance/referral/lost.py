"""Referrals that are lost from the exchange: written into the outbox, and not lying there any more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exchange import places
from exchange.errors import Refused, StoreError
from exchange.sending import is_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.people_tables import SentReferral
    from exchange.store import Reader, Writer

#: To look costs a listing of each referral that is on its way; who asks once more is to see it sent soon.
LOOK_S = 60.0


class Lost:
    """What its sender has written and did not remove: a disk was lost or restored, an outbox emptied by hand.

    Used by one thread.
    """

    def __init__(self, exchange: Reader, outbox: Writer, branch: str) -> None:
        self._exchange, self._outbox, self._branch = exchange, outbox, branch
        self._look_at = 0.0

    def among(self, sent: Sequence[SentReferral]) -> list[SentReferral]:
        """Of the referrals that were written those that are lost; looked for at the start, and now and then."""
        if not sent or time.monotonic() < self._look_at or not self._is_there():
            return []
        self._look_at = time.monotonic() + LOOK_S
        return [row for row in sent if self._is_lost(row)]

    def _is_there(self) -> bool:
        try:
            return places.is_there(self._exchange, self._branch)
        except (Refused, StoreError):
            return False

    def _is_lost(self, row: SentReferral) -> bool:
        """Whether neither mount shows it: one of the two may be away, or late."""
        try:
            return not (
                is_whole(self._outbox, places.in_outbox(row.recipient, row.referral_id), row.parcels)
                or is_whole(
                    self._exchange, f"{places.letterbox(self._branch, row.recipient)}/{row.referral_id}", row.parcels
                )
            )
        except (Refused, StoreError):
            return False
