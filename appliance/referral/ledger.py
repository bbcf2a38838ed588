"""The ledger of received referrals: which were filed or refused, so that each is dealt with once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import func, select, update

from appliance.people_tables import ReceivedReferral
from appliance.referral.states import ARRIVED, REFUSED
from exchange.offers import Offer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.orm import Session

    from appliance.audit import Audit
    from appliance.index.engine import Index
    from appliance.keeping.filing import Filed
    from exchange.manifest import Manifest

log = structlog.get_logger("appliance.referral")

FIRST_REST_S, LONGEST_REST_S = 1.0, 300.0
#: While its sender writes a referral, waiting longer would only make its images late.
LONGEST_WRITING_REST_S = 4.0
#: What nobody vouches for is written down so often a day for each sender: rubbish must not fill the index.
UNVOUCHED_A_DAY = 100


@dataclass(frozen=True)
class Dealt:
    """What was filed or refused for good: whether it was taken away since, and whether its sender is told."""

    gone: bool
    told: bool


class KnownOffers:
    """The offers that need no look in this round; it notes which of them are still there."""

    def __init__(
        self, dealt_with: Mapping[Offer, Dealt], resting: frozenset[Offer], left: Mapping[Offer, bool]
    ) -> None:
        self._dealt_with = dealt_with
        self._resting = resting
        self._left = left
        self._there: set[Offer] = set()

    def __contains__(self, offer: object) -> bool:
        if not isinstance(offer, Offer):
            return False
        if offer in self._dealt_with:
            self._there.add(offer)
            return True
        if offer in self._left:
            self._there.add(offer)
        return offer in self._resting or self._left.get(offer, False)

    def unseen(self) -> list[Offer]:
        """Offers that were there in the last round and were not met in this one."""
        return [offer for offer, dealt in self._dealt_with.items() if not dealt.gone and offer not in self._there]

    def missing(self) -> list[Offer]:
        """Offers that were in hand when the service ended, and were not met in this round."""
        return [offer for offer in self._left if offer not in self._there]

    def back(self) -> list[Offer]:
        """Offers that were taken away and lie there again: replays."""
        return [offer for offer in self._there if offer in self._dealt_with and self._dealt_with[offer].gone]

    def told(self) -> list[Offer]:
        """Offers that lie there and have been answered."""
        return [offer for offer in self._there if offer in self._dealt_with and self._dealt_with[offer].told]


class Ledger:
    """What became of every referral that was offered to this branch; used by one thread."""

    def __init__(self, index: Index, audit: Audit) -> None:
        self._index = index
        self._audit = audit
        self._dealt_with: dict[Offer, Dealt] | None = None
        self._rests: dict[Offer, tuple[float, float]] = {}
        self._replays: set[Offer] = set()

    def known(self, left: Mapping[Offer, bool]) -> KnownOffers:
        """What is dealt with and answered, what rests after trouble, and of what is `left` that which is given up."""
        if self._dealt_with is None:
            self._dealt_with = self._answered()
        return KnownOffers(self._dealt_with, self._resting(), left)

    def _resting(self) -> frozenset[Offer]:
        now = time.monotonic()
        self._rests = {offer: rest for offer, rest in self._rests.items() if rest[0] > now - LONGEST_REST_S}
        return frozenset(offer for offer, (until, _) in self._rests.items() if until > now)

    def _answered(self) -> dict[Offer, Dealt]:
        columns = (ReceivedReferral.sender, ReceivedReferral.referral_id, ReceivedReferral.gone, ReceivedReferral.total)
        with self._index.session() as session:
            rows = session.execute(select(*columns).where(ReceivedReferral.answered)).all()
        return {Offer(row.sender, row.referral_id): Dealt(row.gone, told=row.total > 0) for row in rows}

    def let_rest(self, offer: Offer, longest_s: float = LONGEST_REST_S) -> None:
        """Look at an offer again after a while, which doubles each time."""
        _, before_s = self._rests.get(offer, (0.0, FIRST_REST_S / 2))
        rest_s = min(before_s * 2, longest_s)
        self._rests[offer] = (time.monotonic() + rest_s, rest_s)

    def vouched(self, offer: Offer) -> ReceivedReferral | None:
        """What became of an offer that its sender vouched for: it stands, whatever lies in its place by now."""
        row = self.row(offer)
        return row if row is not None and row.total else None

    def row(self, offer: Offer) -> ReceivedReferral | None:
        """What is known of an offer."""
        with self._index.session() as session:
            return session.get(ReceivedReferral, (offer.sender, offer.referral_id))

    def row_of(self, manifest: Manifest) -> ReceivedReferral | None:
        """What is known of a referral."""
        return self.row(Offer(manifest.sender, manifest.referral_id))

    def referral_of(self, sender: str, sender_key_id: str, sequence: int) -> str | None:
        """The filed referral of a sender that has a sequence number."""
        wanted = select(ReceivedReferral.referral_id).where(
            ReceivedReferral.sender == sender,
            ReceivedReferral.sender_key_id == sender_key_id,
            ReceivedReferral.sequence == sequence,
        )
        with self._index.session() as session:
            return session.scalar(wanted)

    def enter(self, manifest: Manifest, session: Session, filed: Filed) -> None:
        """Write a referral down as filed, within the transaction that files it, with what of it was not taken."""
        total = len(manifest.instances)
        arrived = total - len(filed.conflicts) - filed.elsewhere
        reason = _shortfall(filed, total)
        row = _row(manifest, state=ARRIVED if arrived else REFUSED, arrived=arrived, refused=reason)
        row.sender_key_id, row.sequence = manifest.sender_key_id, manifest.sequence
        session.add(row)
        self._record(session, manifest, "done" if arrived else "refused", reason)
        if reason:
            log.warning("referral in part", referral=manifest.referral_id, sender=manifest.sender, reason=reason)

    def refuse(self, manifest: Manifest, reason: str) -> None:
        """Write a referral of a known sender down as refused; its sender is told."""
        with self._index.writing() as session:
            session.add(_row(manifest, state=REFUSED, refused=reason))
            self._record(session, manifest, "refused", reason)
        log.warning("referral refused", referral=manifest.referral_id, sender=manifest.sender, reason=reason)

    def refuse_unknown(self, offer: Offer, reason: str) -> None:
        """Write an offer down as refused that nobody vouches for; nobody is told. Too many of a sender's only rest."""
        if self._unvouched_today(offer.sender) >= UNVOUCHED_A_DAY:
            self.let_rest(offer)
            return
        row = ReceivedReferral(
            sender=offer.sender,
            referral_id=offer.referral_id,
            received=datetime.now(UTC),
            state=REFUSED,
            refused=reason,
            answered=True,
        )
        with self._index.writing() as session:
            session.add(row)
            self._audit.append(
                session,
                action="referral-received",
                who=f"branch:{offer.sender}",
                subject=offer.referral_id,
                outcome="refused",
                detail={"reason": reason},
            )
        self._dealt_with = None
        log.warning("referral refused", referral=offer.referral_id, sender=offer.sender, reason=reason)

    def _unvouched_today(self, sender: str) -> int:
        wanted = select(func.count()).where(
            ReceivedReferral.sender == sender,
            ReceivedReferral.total == 0,
            ReceivedReferral.received > datetime.now(UTC) - timedelta(days=1),
        )
        with self._index.session() as session:
            return session.scalar(wanted) or 0

    def note_answered(self, row: ReceivedReferral) -> None:
        """Write down that the answer lies in the outbox."""
        self._change(row.sender, row.referral_id, answered=True)

    def answer_again(self, offers: Iterable[Offer]) -> None:
        """Let these be answered once more: their answers are lost, and their senders may not have read them."""
        for offer in offers:
            self._change(offer.sender, offer.referral_id, answered=False, gone=False)
            log.warning("acknowledgement lost: written again", referral=offer.referral_id, sender=offer.sender)

    def note_gone(self, offers: Iterable[Offer]) -> None:
        """Write down what its sender took away."""
        rows = [{"sender": offer.sender, "referral_id": offer.referral_id, "gone": True} for offer in offers]
        if rows:
            with self._index.writing() as session:
                session.execute(update(ReceivedReferral), rows)
            self._dealt_with = None

    def note_replays(self, known: KnownOffers) -> None:
        """Say, once, what was taken away and lies there again."""
        for offer in known.back():
            if offer not in self._replays:
                self._replays.add(offer)
                reason = "a replay: it was dealt with and taken away before"
                log.warning("referral refused", referral=offer.referral_id, sender=offer.sender, reason=reason)

    def _change(self, sender: str, referral_id: str, **values: object) -> None:
        which = (ReceivedReferral.sender == sender, ReceivedReferral.referral_id == referral_id)
        with self._index.writing() as session:
            session.execute(update(ReceivedReferral).where(*which).values(values))
        self._dealt_with = None

    def _record(self, session: Session, manifest: Manifest, outcome: str, reason: str) -> None:
        self._audit.append(
            session,
            action="referral-received",
            who=f"branch:{manifest.sender}",
            subject=manifest.referral_id,
            outcome=outcome,
            detail={
                "patient": manifest.patient.patient_id,
                "issuer": manifest.patient.issuer,
                "instances": len(manifest.instances),
                "reason": reason,
            },
        )


def _shortfall(filed: Filed, total: int) -> str:
    """Why fewer have arrived than were sent; empty where all have."""
    parts = (
        (len(filed.conflicts), "differ from what is kept here under their UIDs, and were set aside"),
        (filed.elsewhere, "are kept here already, as images of another patient"),
    )
    return "; ".join(f"{count} of {total} {words}" for count, words in parts if count)


def _row(manifest: Manifest, *, state: str, arrived: int = 0, refused: str = "") -> ReceivedReferral:
    return ReceivedReferral(
        sender=manifest.sender,
        referral_id=manifest.referral_id,
        issuer=manifest.patient.issuer,
        patient_id=manifest.patient.patient_id,
        patient_name=manifest.patient.name,
        received=datetime.now(UTC),
        state=state,
        total=len(manifest.instances),
        arrived=arrived,
        refused=refused,
    )
