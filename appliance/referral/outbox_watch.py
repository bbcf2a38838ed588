"""Whether the outbox can be written in: where it cannot, no referral leaves, and nothing else would say so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import structlog

from appliance.remarks import Remarks

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger("appliance.referral")

PAUSE_S = 10.0


class OutboxWatch:
    """Looks again and again, in a loop of its own: a file server that is away can keep whoever looks for minutes.

    Attributes
    ----------
    writable
        What the last look showed.
    """

    def __init__(self, outbox: Path) -> None:
        self.writable = True
        self._outbox = outbox
        self._remarks = Remarks(log)

    def step(self) -> None:
        """Look."""
        self.writable = os.access(self._outbox, os.W_OK | os.X_OK)
        self._remarks.say("outbox", *[f"{self._outbox} cannot be written in: no referral leaves"] * (not self.writable))
