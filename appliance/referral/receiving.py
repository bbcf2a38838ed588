"""The receiving of referrals: look into the others' outboxes, file what is right, refuse what is not, answer both."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog

from appliance.errors import ApplianceError
from appliance.referral.answers import Answers
from appliance.referral.attempts import Attempts
from appliance.referral.contents import kept_uids
from appliance.referral.ledger import LONGEST_REST_S, LONGEST_WRITING_REST_S, Ledger
from appliance.referral.outbox import Shares
from appliance.referral.unpacking import check_issuer, unpacked
from appliance.remarks import Remarks
from exchange.acknowledgement import acknowledge
from exchange.errors import ExchangeError, Incomplete, Refused
from exchange.offers import is_gone, waiting
from exchange.receiving import judge, open_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from appliance.audit import Audit
    from appliance.enrolment.directory import KnownDirectory
    from appliance.keeping.archive import Archive
    from appliance.people_tables import ReceivedReferral
    from appliance.referral.branch import Branch
    from appliance.settings import CurrentSettings
    from exchange.directory import Directory
    from exchange.manifest import Manifest
    from exchange.offers import Offer
    from exchange.store import Reader, Writer

log = structlog.get_logger("appliance.referral")

#: A round costs a listing of every other outbox; with many branches they take turns at the same total rate.
PAUSE_S, PAUSE_A_BRANCH_S = 1.0, 0.05


class Receiving:
    """The recipient's side of every referral.

    A referral is filed with its id in one transaction and answered afterwards, so that a kill at any point
    leaves it either untouched, to be taken again, or filed, to be answered again.
    """

    def __init__(
        self,
        me: Branch,
        archive: Archive,
        exchange: Reader,
        outbox: Writer,
        directory: KnownDirectory,
        settings: CurrentSettings,
        audit: Audit,
    ) -> None:
        self._branch, self._keys = me.name, me.keys
        self._archive = archive
        self._exchange = exchange
        self._outbox = outbox
        self._directory = directory
        self._ledger = Ledger(archive.index, audit)
        self._attempts = Attempts(archive.index, audit)
        self._answers = Answers(exchange, outbox, me.name)
        self._shares = Shares(settings.outbox_bytes)
        self._remarks = Remarks(log)

    @property
    def pause_s(self) -> float:
        """Seconds until the next round."""
        directory = self._directory.value
        return PAUSE_S + PAUSE_A_BRANCH_S * len(directory.branches) if directory is not None else PAUSE_S

    def step(self) -> None:
        """One round through the others' outboxes."""
        directory = self._directory.value
        if directory is None:
            return
        self._shares.begin()
        known = self._ledger.known(self._attempts.left())
        found = waiting(self._exchange, recipient=self._branch, directory=directory, known=known)
        self._remarks.say("exchange", *found.warnings)
        for offer in found.offers:
            self._look(offer, directory)
        self._ledger.note_gone(self._gone(known.unseen()))
        for offer in self._gone(known.missing()):
            self._attempts.forget(offer)
        self._ledger.note_replays(known)
        self._ledger.answer_again(self._answers.lost(known.told()))
        self._answers.clear()

    def stop(self) -> None:
        """Be stopped in the middle of what is in hand: that is taken again at the next start."""
        self._attempts.excuse()

    def _gone(self, offers: Iterable[Offer]) -> list[Offer]:
        return [offer for offer in offers if is_gone(self._exchange, offer, self._branch)]

    def _look(self, offer: Offer, directory: Directory) -> None:
        """Take one offer; trouble with it is remarked, lets it rest a while, and keeps no other waiting."""
        about = f"referral {offer.referral_id} of {offer.sender}"
        try:
            with self._attempts.counted(offer):
                self._take(offer, directory)
        except (ApplianceError, ExchangeError, OSError) as error:
            being_written = isinstance(error, Incomplete)
            self._ledger.let_rest(offer, LONGEST_WRITING_REST_S if being_written else LONGEST_REST_S)
            self._remarks.say(about, str(error))
        except Exception:
            self._ledger.let_rest(offer)
            log.exception("a fault of the program; the referral is tried again", referral=offer.referral_id)
        else:
            self._remarks.say(about)

    def _take(self, offer: Offer, directory: Directory) -> None:
        row = self._ledger.vouched(offer) or self._judged(offer, directory)
        if row is not None:
            self._answer(offer, row, directory)

    def _judged(self, offer: Offer, directory: Directory) -> ReceivedReferral | None:
        try:
            manifest = open_manifest(self._exchange, offer, self._branch, self._keys, directory)
        except Refused as error:
            self._ledger.refuse_unknown(offer, str(error))
            return None
        return self._decide(manifest, directory)

    def _decide(self, manifest: Manifest, directory: Directory) -> ReceivedReferral:
        self._attempts.name(manifest)
        try:
            seen = partial(self._ledger.referral_of, manifest.sender)
            judge(manifest, directory, now=datetime.now(UTC), seen=seen)
            check_issuer(manifest, directory, self._branch, self._kept)
            self._shares.take(manifest.sender, sum(parcel.size for parcel in manifest.parcels))
            self._file(manifest)
        except Refused as error:
            self._ledger.refuse(manifest, str(error))
        row = self._ledger.row_of(manifest)
        assert row is not None
        return row

    def _kept(self, issuer: str, patient_id: str) -> frozenset[str]:
        with self._archive.index.session() as session:
            return kept_uids(session, issuer, patient_id)

    def _file(self, manifest: Manifest) -> None:
        with unpacked(self._archive, self._exchange, manifest, self._keys) as arrivals:
            filed = self._archive.file(
                arrivals,
                issuer=manifest.patient.issuer,
                source=f"branch:{manifest.sender}",
                within=partial(self._ledger.enter, manifest),
            )
        log.info(
            "referral filed", referral=manifest.referral_id, sender=manifest.sender, new=filed.new, same=filed.same
        )

    def _answer(self, offer: Offer, row: ReceivedReferral, directory: Directory) -> None:
        acknowledge(
            self._outbox,
            offer,
            self._branch,
            self._keys,
            directory,
            arrived=row.arrived,
            total=row.total,
            at=datetime.now(UTC),
            refused=row.refused or None,
        )
        self._ledger.note_answered(row)
