"""The sending of referrals: what is to be sent, is sent; what is acknowledged or over, is cleared away."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select

from appliance.people_tables import SentReferral
from appliance.referral.damage import damage_told
from appliance.referral.lost import Lost
from appliance.referral.overdue import Overdue
from appliance.referral.renewal import renew
from appliance.referral.request import change_state
from appliance.referral.states import ANSWERABLE, ARRIVED, EXPIRED, OPEN, REFUSED, SENDING, SENT, UNWRITTEN
from appliance.remarks import Remarks
from exchange.acknowledgement import acknowledged, read_acknowledgement
from exchange.errors import Damaged, ExchangeError, KeyChanged, Refused
from exchange.outgoing import Outgoing
from exchange.parcel import damaged
from exchange.sending import outstanding, send, withdraw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement

    from appliance.audit import Audit
    from appliance.enrolment.directory import KnownDirectory
    from appliance.index.engine import Index
    from appliance.referral.branch import Branch
    from exchange.acknowledgement import Acknowledgement
    from exchange.directory import Directory
    from exchange.store import Reader, Writer

log = structlog.get_logger("appliance.referral")

BUSY_PAUSE_S, IDLE_PAUSE_S = 1.0, 10.0


class TakenBack(Exception):
    """The referral is not to be written any more."""


class Sending:
    """The sender's side of every referral; all it knows is in the index, so that it goes on after a kill at any point.

    Parameters
    ----------
    me
        Who sends.
    exchange, outbox
        The whole exchange for reading; the branch's own part of it for writing.
    """

    def __init__(
        self, me: Branch, index: Index, exchange: Reader, outbox: Writer, directory: KnownDirectory, audit: Audit
    ) -> None:
        self._branch, self._keys = me.name, me.keys
        self._index = index
        self._exchange = exchange
        self._outbox = outbox
        self._directory = directory
        self._audit = audit
        self._remarks = Remarks(log)
        self._lost = Lost(exchange, outbox, me.name)
        self._overdue = Overdue()
        self._tidied = False
        self.pause_s = BUSY_PAUSE_S

    def step(self) -> None:
        """Write what is to be written, take in what was acknowledged, clear away what is over."""
        directory = self._directory.value
        if directory is None:
            return
        if not self._tidied:
            self._tidy()
        for row in self._rows(SentReferral.state.in_(UNWRITTEN)):
            self._attempt(row.referral_id, partial(self._write, row, directory))
        self._take_acknowledgements(directory)
        for row in self._rows(SentReferral.state == SENT):
            self._attempt(row.referral_id, partial(self._seal_anew, row, directory))
        for row in self._lost.among(self._rows(SentReferral.state == SENT)):
            self._attempt(row.referral_id, partial(self._write_anew, row, directory))
        self._expire(directory)
        self._clear()
        self.pause_s = BUSY_PAUSE_S if self._rows(SentReferral.state.in_(OPEN)) else IDLE_PAUSE_S

    def _tidy(self) -> None:
        """Remove from the outbox what a killed writer left half, and referrals that are not open by the index."""
        self._outbox.sweep()
        for recipient, referral_id in list(outstanding(self._outbox)):
            row = self._row(referral_id)
            if row is None or row.state not in OPEN:
                log.warning("referral in the outbox is not open: removed", referral=referral_id, to=recipient)
                withdraw(self._outbox, recipient, referral_id)
        self._tidied = True

    def _attempt(self, referral_id: str, deed: Callable[[], None]) -> None:
        """Do one thing for one referral; its trouble is remarked once, and keeps no other waiting."""
        try:
            deed()
        except (ExchangeError, OSError) as error:
            self._remarks.say(f"referral {referral_id}", str(error))
        else:
            self._remarks.say(f"referral {referral_id}")

    def _write(self, row: SentReferral, directory: Directory) -> None:
        outgoing = self._outgoing(row)

        def progress(done: int, parcels: int) -> None:
            if not self._change(row.referral_id, UNWRITTEN, state=SENDING, parcels_written=done, parcels=parcels):
                raise TakenBack("it was taken back while it was written")

        try:
            send(self._outbox, outgoing, self._keys, directory, progress)
        except TakenBack as word:
            log.info("referral not written", referral=row.referral_id, to=row.recipient, reason=str(word))
        except KeyChanged as error:
            self._renew(outgoing, str(error), directory)
        except Refused as error:
            self._refuse_or_leave_out(outgoing, error, directory)
        else:
            if self._change(row.referral_id, UNWRITTEN, state=SENT):
                log.info("referral written", referral=row.referral_id, to=row.recipient, instances=row.total)

    def _refuse_or_leave_out(self, outgoing: Outgoing, error: Refused, directory: Directory) -> None:
        """Where files are damaged, send the others under another id, for parcels lie in the outbox under this one.

        Raises
        ------
        DirectoryExpired
            Nothing can be sent at all.
        Damaged
            The second time every file could be read: nothing is wrong.
        """
        if isinstance(error, Damaged):
            directory.check_fresh(datetime.now(UTC))
        bad = damaged(outgoing.files) if isinstance(error, Damaged) else ()
        if isinstance(error, Damaged) and not bad:
            raise error
        log.error(
            "not sent", referral=outgoing.referral_id, reason=str(error), damaged=[str(file.path) for file in bad]
        )
        with self._index.session() as session:
            reason = damage_told(session, bad, of=len(outgoing.files)) if bad else str(error)
        lost = {file.sop_instance_uid for file in bad}
        whole = tuple(file for file in outgoing.files if file.sop_instance_uid not in lost)
        if not (bad and whole):
            self._settle(outgoing.referral_id, UNWRITTEN, REFUSED, f"not sent: {reason}")
            return
        studies = {file.study_instance_uid for file in whole}
        left = tuple(study for study in outgoing.studies if study.study_instance_uid in studies)
        self._renew(replace(outgoing, files=whole, studies=left), reason, directory, missing=reason)

    def _outgoing(self, row: SentReferral) -> Outgoing:
        with self._index.session() as session:
            return Outgoing.decode(session.get_one(SentReferral, row.referral_id).frozen)

    def _seal_anew(self, row: SentReferral, directory: Directory) -> None:
        """Replace what lies in the outbox for keys that its recipient has no longer: it could not be opened."""
        if row.recipient_key_id != directory.branch(row.recipient).keys.fingerprint:
            reason = f"{row.recipient} has new keys since this referral was written"
            self._renew(self._outgoing(row), reason, directory)

    def _write_anew(self, row: SentReferral, directory: Directory) -> None:
        """Send under another id what is lost from the exchange: no name in it is used for other content."""
        self._renew(self._outgoing(row), "it was lost from the exchange", directory)

    def _renew(self, outgoing: Outgoing, reason: str, directory: Directory, missing: str = "") -> None:
        """Replace a referral by one of the same instances that is sealed to the recipient's keys of now."""
        with self._index.writing() as session:
            newer = renew(session, outgoing, reason, directory, missing)
        log.warning("referral renewed", referral=outgoing.referral_id, by=newer, reason=reason)

    def _take_acknowledgements(self, directory: Directory) -> None:
        for recipient, referral_id in acknowledged(self._exchange, self._branch, directory):
            row = self._row(referral_id)
            if row is not None and row.recipient == recipient and row.state in ANSWERABLE:
                self._attempt(referral_id, partial(self._take_acknowledgement, row, directory))

    def _take_acknowledgement(self, row: SentReferral, directory: Directory) -> None:
        answer = read_acknowledgement(
            self._exchange, self._branch, row.recipient, row.referral_id, self._keys, directory
        )
        state = REFUSED if answer.refused and not answer.arrived else ARRIVED
        missing = row.refused if row.state in OPEN else ""
        self._settle(row.referral_id, ANSWERABLE, state, answer.refused or missing, answer)

    def _settle(
        self,
        referral_id: str,
        before: tuple[str, ...],
        state: str,
        reason: str,
        answer: Acknowledgement | None = None,
    ) -> None:
        arrived = answer.arrived if answer is not None else 0
        with self._index.writing() as session:
            if not change_state(
                session, referral_id, before, state=state, refused=reason, arrived=arrived, cleared=False
            ):
                return
            self._audit.append(
                session,
                action="referral",
                who="appliance",
                subject=referral_id,
                outcome=state,
                detail={"arrived": arrived, "reason": reason},
            )
        log.info("referral ended", referral=referral_id, state=state, arrived=arrived, reason=reason)

    def _expire(self, directory: Directory) -> None:
        """End what is overdue for long; while the clock is past the end of the directory, it is not believed."""
        now = datetime.now(UTC)
        rows = self._rows(SentReferral.state.in_(OPEN), SentReferral.expires < now) if now < directory.expires else ()
        for referral_id in self._overdue.long_enough(row.referral_id for row in rows):
            self._settle(referral_id, OPEN, EXPIRED, "not acknowledged in time")

    def _clear(self) -> None:
        """Remove from the outbox what is over."""
        for row in self._rows(SentReferral.state.not_in(OPEN), SentReferral.cleared.is_(False)):
            self._attempt(row.referral_id, partial(self._remove, row))

    def _remove(self, row: SentReferral) -> None:
        withdraw(self._outbox, row.recipient, row.referral_id)
        self._change(row.referral_id, (row.state,), cleared=True)

    def _change(self, referral_id: str, before: tuple[str, ...], **values: object) -> bool:
        with self._index.writing() as session:
            return change_state(session, referral_id, before, **values)

    def _row(self, referral_id: str) -> SentReferral | None:
        with self._index.session() as session:
            return session.get(SentReferral, referral_id)

    def _rows(self, *which: ColumnElement[bool]) -> Sequence[SentReferral]:
        with self._index.session() as session:
            return session.scalars(select(SentReferral).where(*which).order_by(SentReferral.sequence)).all()
