"""The renewal of a referral whose recipient has new keys, or that was lost: the same instances, frozen again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from appliance.people_tables import SentReferral
from appliance.referral.request import change_state, following_sequence, sent_referral
from appliance.referral.states import OPEN, WITHDRAWN
from exchange.outgoing import new_referral

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from exchange.directory import Directory
    from exchange.outgoing import Outgoing


def renew(session: Session, outgoing: Outgoing, reason: str, directory: Directory, missing: str = "") -> str:
    """Withdraw a referral and freeze its successor, which tells what is `missing` from it; the id of the successor."""
    now = datetime.now(UTC)
    old = session.get_one(SentReferral, outgoing.referral_id)
    before = old.refused
    newer = new_referral(
        directory,
        sender=outgoing.sender,
        recipient=outgoing.recipient,
        sequence=following_sequence(session, now),
        patient=outgoing.patient,
        studies=outgoing.studies,
        files=outgoing.files,
        now=now,
    )
    if change_state(session, outgoing.referral_id, OPEN, state=WITHDRAWN, refused=f"{reason}; see {newer.referral_id}"):
        successor = sent_referral(newer, old.patient_name, old.requested_by)
        successor.refused = missing or before
        session.add(successor)
    return newer.referral_id
