"""Our answers to referrals, for as long as somebody may still read them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exchange.acknowledgement import answered, remove, spent

if TYPE_CHECKING:
    from collections.abc import Collection

    from exchange.offers import Offer
    from exchange.store import Reader, Writer

#: How long an acknowledgement outlives its referral: who took that back while we filed it shall learn that it arrived.
KEPT_S = 600.0


class Answers:
    """The acknowledgements in a branch's outbox; used by one thread."""

    def __init__(self, exchange: Reader, outbox: Writer, branch: str) -> None:
        self._exchange, self._outbox, self._branch = exchange, outbox, branch
        self._gone_since: dict[Offer, float] = {}

    def clear(self) -> None:
        """Remove those whose referrals their senders have removed, a while after, and after a second look."""
        now = time.monotonic()
        kept = {offer for offer, since in self._gone_since.items() if now - since < KEPT_S}
        gone = spent(self._exchange, self._outbox, self._branch, kept)
        self._gone_since = {offer: self._gone_since.get(offer, now) for offer in gone}
        remove(self._outbox, [offer for offer, since in self._gone_since.items() if now - since >= KEPT_S])

    def lost(self, offers: Collection[Offer]) -> list[Offer]:
        """Those of these referrals whose acknowledgement does not lie in the outbox: a disk was lost, or restored."""
        lying = set(answered(self._outbox)) if offers else set()
        return [offer for offer in offers if offer not in lying]
