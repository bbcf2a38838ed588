"""The attempts at taking a referral, each counted before it: one that ends the service time and again is given up."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import delete, func, select

from appliance.errors import ApplianceError, ArchiveFull
from appliance.people_tables import ReferralAttempt
from exchange.offers import Offer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Delete
    from sqlalchemy.orm import Session

    from appliance.audit import Audit
    from appliance.index.engine import Index
    from appliance.referral.request import Asker
    from exchange.manifest import Manifest

log = structlog.get_logger("appliance.referral")

#: So many times one referral may have been in hand when the service was killed or crashed: a power cut or two are
#: nobody's fault, a loop of crashes would keep the branch from its images.
MOST = 3
#: After that it rests, twice as long each time: three power cuts are nobody's fault either, one crash a day is no loop.
FIRST_REST, LONGEST_REST = timedelta(minutes=5), timedelta(days=1)
_MOST_DOUBLINGS = 9


class NotGivenUp(ApplianceError):
    """There is no such referral that was given up."""


class Attempts:
    """What was in hand when the service ended, and how often; used by one thread, but for `excuse`.

    An attempt that comes to an end, in whatever way, leaves nothing. What is given up is tried again after a while, and
    at once by another version of Gurney.
    """

    def __init__(self, index: Index, audit: Audit) -> None:
        self._index = index
        self._audit = audit
        self._version = version("gurney")
        self._stopping = False
        self._in_hand: Offer | None = None
        self._ended: set[Offer] = set()

    def left(self) -> dict[Offer, bool]:
        """What was in hand when the service ended, and of each whether it is given up; that is told the first time."""
        with self._index.session() as session:
            rows = session.scalars(select(ReferralAttempt)).all()
        for row in rows:
            if not row.given_up and self._is_enough(row):
                self._give_up(row)
        return {Offer(row.sender, row.referral_id): self._is_enough(row) for row in rows}

    @contextmanager
    def counted(self, offer: Offer) -> Iterator[None]:
        """An attempt: counted, durably, before it begins.

        Raises
        ------
        ArchiveFull
            The index has no room for it; nothing was begun.
        """
        if self._stopping:
            yield
            return
        self._begin(offer)
        try:
            yield
        finally:
            self._end(offer)

    def name(self, manifest: Manifest) -> None:
        """Write down whose images are being taken, so that people know what is missing where it comes to nothing."""
        with self._index.writing() as session:
            row = session.get(ReferralAttempt, (manifest.sender, manifest.referral_id))
            if row is not None:
                row.issuer, row.patient_id = manifest.patient.issuer, manifest.patient.patient_id
                row.patient_name, row.total = manifest.patient.name, len(manifest.instances)

    def forget(self, offer: Offer) -> None:
        """Its sender has taken it away."""
        with self._index.writing() as session:
            session.execute(_removal(offer))

    def excuse(self) -> None:
        """The service is being stopped: what it has in hand now is not to blame for that."""
        self._stopping = True
        offer = self._in_hand
        if offer is not None:
            with suppress(ArchiveFull), self._index.writing() as session:
                row = session.get(ReferralAttempt, (offer.sender, offer.referral_id))
                if row is not None:
                    row.attempts -= 1

    def _is_enough(self, row: ReferralAttempt) -> bool:
        """Whether it is not to be tried now; a clock that was wrong, in either direction, does not keep it for ever."""
        attempts = self._counts(row)
        return attempts >= MOST and abs(datetime.now(UTC) - row.begun) < rest_after(attempts)

    def _counts(self, row: ReferralAttempt) -> int:
        """How many attempts of this version the service did not outlive."""
        is_over = Offer(row.sender, row.referral_id) in self._ended
        return row.attempts if row.version == self._version and not is_over else 0

    def _begin(self, offer: Offer) -> None:
        with self._index.writing() as session:
            row = session.get(ReferralAttempt, (offer.sender, offer.referral_id))
            attempts = 1 + (self._counts(row) if row is not None else 0)
            fresh = ReferralAttempt(sender=offer.sender, referral_id=offer.referral_id, version=self._version)
            fresh.attempts, fresh.begun, fresh.given_up = attempts, datetime.now(UTC), False
            session.merge(fresh)
        self._ended.discard(offer)
        self._in_hand = offer

    def _end(self, offer: Offer) -> None:
        self._in_hand = None
        try:
            self.forget(offer)
        except ArchiveFull:  # its row stays, and counts for nothing as long as this service lives
            self._ended.add(offer)

    def _give_up(self, row: ReferralAttempt) -> None:
        with self._index.writing() as session:
            session.get_one(ReferralAttempt, (row.sender, row.referral_id)).given_up = True
            self._audit.append(
                session,
                action="referral-received",
                who=f"branch:{row.sender}",
                subject=row.referral_id,
                outcome="given up",
                detail={"patient": row.patient_id, "issuer": row.issuer, "reason": reason_of(row)},
            )
        log.error("referral given up", referral=row.referral_id, sender=row.sender, reason=reason_of(row))


def rest_after(attempts: int) -> timedelta:
    """How long a referral rests after so many attempts that the service did not outlive."""
    doublings = max(0, min(attempts - MOST, _MOST_DOUBLINGS))
    return min(FIRST_REST * (1 << doublings), LONGEST_REST)


def reason_of(row: ReferralAttempt) -> str:
    """Why a referral was given up, as people read it."""
    minutes = rest_after(row.attempts) // timedelta(minutes=1)
    again = f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
    ended = f"the service ended {row.attempts} times while it was taken"
    return f"{ended}; it still lies in the exchange, and is tried again after {again}"


def count_given_up(session: Session) -> int:
    """How many referrals are given up."""
    return session.scalar(select(func.count()).where(ReferralAttempt.given_up)) or 0


def try_again(index: Index, audit: Audit, offer: Offer, by: Asker) -> None:
    """Let a referral that was given up be taken once more, with all its attempts.

    Raises
    ------
    NotGivenUp
    """
    with index.writing() as session:
        row = session.get(ReferralAttempt, (offer.sender, offer.referral_id))
        if row is None or not row.given_up:
            raise NotGivenUp("There is no such referral that was given up.")
        patient_id, issuer = row.patient_id, row.issuer
        session.delete(row)
        audit.append(
            session,
            action="try-again",
            who=by.login,
            address=by.address,
            subject=offer.referral_id,
            detail={"patient": patient_id, "issuer": issuer, "from": offer.sender},
        )


def _removal(offer: Offer) -> Delete:
    return delete(ReferralAttempt).where(
        ReferralAttempt.sender == offer.sender, ReferralAttempt.referral_id == offer.referral_id
    )
