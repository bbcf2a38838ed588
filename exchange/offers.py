"""Offers: what lies in the senders' outboxes for us, found at a bounded cost per sender."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

from exchange import places
from exchange.canonical import NAME, REFERRAL_ID
from exchange.errors import NotAllowed, Refused, StoreError
from exchange.store import TEMPORARY, printable

if TYPE_CHECKING:
    from collections.abc import Container

    from exchange.directory import Directory
    from exchange.store import Entry, Reader

PER_SENDER = 16
"""Offers taken from one sender in one round: a sender who floods the own outbox delays nobody else."""
_MAX_ENTRIES = 4096
_MAX_ODD = 3


@dataclass(frozen=True)
class Offer:
    """A referral that lies in a sender's outbox for us, as its place says; nothing of it is verified.

    What is remembered of a referral is remembered under this pair: ids can be seen by all, and
    another branch could use one.
    """

    sender: str
    referral_id: str


@dataclass(frozen=True)
class Waiting:
    """What one round of looking has found, and what it passed over, a line each."""

    offers: tuple[Offer, ...]
    warnings: tuple[str, ...]


def waiting(
    exchange: Reader, recipient: str, directory: Directory, known: Container[Offer], per_sender: int = PER_SENDER
) -> Waiting:
    """Offers that are not known yet, the senders' in turn, at most `per_sender` of each.

    Parameters
    ----------
    exchange
        The whole tree.
    recipient
        Us.
    directory
        The newest one; who is unknown in it or revoked is not looked at.
    known
        Offers that need no look any more: filed, or refused for good.
    """
    queues, warnings = [], []
    for entry in islice(exchange.list("out"), _MAX_ENTRIES):
        if entry.name == recipient or not NAME.fullmatch(entry.name):
            continue
        try:
            found = _offers_of(exchange, entry.name, recipient, directory, known, per_sender)
        except (Refused, StoreError) as error:  # one sender's outbox, not the store: its root was just listed
            warnings.append(f"from {printable(entry.name)}: {error}")
            continue
        queues.append(found.offers)
        warnings.extend(found.warnings)
    in_turn = chain.from_iterable(zip_longest(*queues))
    return Waiting(tuple(offer for offer in in_turn if offer is not None), tuple(warnings))


def is_gone(exchange: Reader, offer: Offer, recipient: str) -> bool:
    """Whether the sender has removed the referral; it is not gone while it, or the exchange, cannot be looked at."""
    try:
        place = f"{places.letterbox(offer.sender, recipient)}/{offer.referral_id}"
        return next(exchange.list(place), None) is None and places.is_there(exchange, offer.sender)
    except (Refused, StoreError):
        return False


def _offers_of(
    exchange: Reader, sender: str, recipient: str, directory: Directory, known: Container[Offer], limit: int
) -> Waiting:
    entries = islice(exchange.list(places.letterbox(sender, recipient)), _MAX_ENTRIES)
    try:
        directory.branch(sender)
    except NotAllowed:
        if next(entries, None) is not None:
            raise
        return Waiting((), ())
    odd: list[str] = []
    offers = (_offer(entry, sender, odd) for entry in entries)
    taken = tuple(islice((offer for offer in offers if offer is not None and offer not in known), limit))
    return Waiting(taken, tuple(f"from {sender}: {name} is passed over, it is no referral" for name in odd[:_MAX_ODD]))


def _offer(entry: Entry, sender: str, odd: list[str]) -> Offer | None:
    if entry.kind == "folder" and REFERRAL_ID.fullmatch(entry.name):
        return Offer(sender, entry.name)
    is_acknowledgement = entry.kind == "file" and places.ACKNOWLEDGEMENT.fullmatch(entry.name)
    if not is_acknowledgement and not entry.name.startswith(TEMPORARY):
        odd.append(printable(entry.name))
    return None
