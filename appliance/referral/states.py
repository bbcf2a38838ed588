"""The states of a referral; each is a word that staff reads."""

from __future__ import annotations

#: Asked for and frozen in the index; parcels are being written; the manifest is in the outbox.
PREPARED, SENDING, SENT = "prepared", "sending", "sent"
#: How it ended: acknowledged, refused by the recipient or before it left, out of time, taken back.
ARRIVED, REFUSED, EXPIRED, WITHDRAWN = "arrived", "refused", "expired", "withdrawn"
#: Resting, since taking it ended the service each time; tried again after a while, or at once where an admin says so.
GIVEN_UP = "given up"

UNWRITTEN = (PREPARED, SENDING)
OPEN = (*UNWRITTEN, SENT)
#: What such a referral carries is at the recipient, or on the way there.
CARRIED = (*OPEN, ARRIVED)
#: An acknowledgement that comes late still counts: what arrived has arrived.
ANSWERABLE = (*OPEN, EXPIRED, WITHDRAWN)
