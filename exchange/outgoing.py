"""A referral as its sender freezes it, before the first byte goes out."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from pydantic import Field
from pydantic.dataclasses import dataclass as document

from exchange import places
from exchange.canonical import STRICT, Document, Moment, Name, Ordinal, ReferralId
from exchange.directory import Directory
from exchange.errors import TooLarge
from exchange.manifest import MAX_INSTANCES, Instance, KeyId, PatientSummary, StudySummary
from exchange.parcel import PARCEL_BYTES, packed
from exchange.sealing import sealed_limit

LIFETIME = timedelta(days=30)

_PARCEL_IN_MANIFEST = 512


@document(frozen=True, config=STRICT)
class OutgoingFile(Instance):
    """An instance as it lies in the sender's archive."""

    path: Path


@document(frozen=True, config=STRICT)
class Outgoing(Document):
    """A referral as the sender froze it: the same files in the same parcels, however often sending is repeated."""

    referral_id: ReferralId
    sender: Name
    recipient: Name
    recipient_key_id: KeyId
    sequence: Ordinal
    issued: Moment
    expires: Moment
    patient: PatientSummary
    studies: tuple[StudySummary, ...]
    files: Annotated[tuple[OutgoingFile, ...], Field(min_length=1, max_length=MAX_INSTANCES)]
    parcel_bytes: Ordinal

    @property
    def parcels(self) -> tuple[slice, ...]:
        """Which files go into which parcel, numbered from 1."""
        return packed([file.size for file in self.files], self.parcel_bytes)

    @property
    def sealed_bytes(self) -> int:
        """The most bytes that it has in the outbox: its parcels, and its manifest, which is signed as base64."""
        runs = self.parcels
        parcels = sum(sealed_limit(sum(file.size for file in self.files[run])) for run in runs)
        return parcels + sealed_limit(2 * len(self.encode()) + _PARCEL_IN_MANIFEST * len(runs))

    @property
    def folder(self) -> str:
        """Its place in the sender's outbox."""
        return places.in_outbox(self.recipient, self.referral_id)


def next_sequence(last: int, now: datetime) -> int:
    """A number higher than any used before under the same keys.

    Milliseconds of the own clock where that is higher: an index restored from an old backup, which has
    forgotten its last numbers, does not use them again.
    """
    return max(last + 1, int(now.timestamp() * 1000))


def new_referral(
    directory: Directory,
    *,
    sender: str,
    recipient: str,
    sequence: int,
    patient: PatientSummary,
    studies: Sequence[StudySummary],
    files: Sequence[OutgoingFile],
    now: datetime,
    lifetime: timedelta = LIFETIME,
    parcel_bytes: int = PARCEL_BYTES,
) -> Outgoing:
    """A referral under a fresh id, to be kept in the index before the first step of `send`.

    Raises
    ------
    NotAllowed
        The directory does not allow the pair.
    DirectoryExpired
        New referrals wait for a newer directory.
    TooLarge
        More instances, or more bytes, than one referral may hold.
    """
    directory.check_referral(sender, recipient)
    directory.check_fresh(now)
    if len(files) > MAX_INSTANCES:
        raise TooLarge(f"{len(files)} instances, more than the {MAX_INSTANCES} of one referral: refer fewer studies")
    outgoing = Outgoing(
        referral_id=str(uuid4()),
        sender=sender,
        recipient=recipient,
        recipient_key_id=directory.branch(recipient).keys.fingerprint,
        sequence=sequence,
        issued=now,
        expires=now + lifetime,
        patient=patient,
        studies=tuple(studies),
        files=tuple(files),
        parcel_bytes=parcel_bytes,
    )
    if len(outgoing.parcels) > places.MAX_PARCELS:
        raise TooLarge(f"more than the {places.MAX_PARCELS} parcels of one referral: refer fewer studies")
    return outgoing
