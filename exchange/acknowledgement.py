"""Acknowledgements: the recipient's signed word that a referral has arrived, or why it was refused."""

from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice

from pydantic.dataclasses import dataclass as document

from exchange import places
from exchange.canonical import NAME, STRICT, Count, Document, Line, Moment, Name, Ordinal, ReferralId
from exchange.directory import Directory
from exchange.errors import AlreadyThere, NotForUs, Refused, StoreError
from exchange.keys import BranchKeys
from exchange.offers import Offer, is_gone
from exchange.sealing import seal, unseal
from exchange.signing import open_signed, sign
from exchange.store import Reader, Writer

_PURPOSE = "acknowledgement"
_MAX_BYTES = 64 << 10
_MAX_ENTRIES = 4096
_MAX_REASON = 500


@document(frozen=True, config=STRICT)
class Acknowledgement(Document):
    """`arrived` of `total` instances are filed at the recipient; `refused` says why, if they are not."""

    referral_id: ReferralId
    sender: Name
    recipient: Name
    arrived: Count
    total: Ordinal
    at: Moment
    refused: Line | None = None


def acknowledge(
    outbox: Writer,
    offer: Offer,
    recipient: str,
    keys: BranchKeys,
    directory: Directory,
    *,
    arrived: int,
    total: int,
    at: datetime,
    refused: str | None = None,
) -> None:
    """Answer a referral, once and for all, in the recipient's own outbox; repeated, it has no effect.

    Parameters
    ----------
    outbox
        The recipient's, `out/<recipient>`.
    offer
        The referral, of which `open_manifest` has returned the manifest once.
    recipient, keys
        Us.
    directory
        For the sender's key, to which the answer is sealed.
    arrived, total
        How many instances are filed, and of how many.
    at
        When, by the recipient's clock: for people to read, nothing is ordered by it.
    refused
        Why nothing was filed.
    """
    answer = Acknowledgement(
        referral_id=offer.referral_id,
        sender=offer.sender,
        recipient=recipient,
        arrived=arrived,
        total=total,
        at=at,
        refused=refused and refused[:_MAX_REASON],
    )
    sealed = seal(sign(_PURPOSE, answer.encode(), keys.sign), [directory.branch(offer.sender).keys.seal])
    with suppress(AlreadyThere):
        outbox.put(places.acknowledgement_name(offer.sender, offer.referral_id), sealed)


def acknowledged(exchange: Reader, sender: str, directory: Directory) -> Iterator[tuple[str, str]]:
    """Recipient and referral id of each acknowledgement that lies there for the sender, nothing opened yet."""
    for branch in directory.branches:
        if branch.revoked or branch.name == sender:
            continue
        with suppress(Refused, StoreError):  # a letterbox that its owner has spoiled holds up nobody else's
            for entry in islice(exchange.list(places.letterbox(branch.name, sender)), _MAX_ENTRIES):
                match = places.ACKNOWLEDGEMENT.fullmatch(entry.name)
                if match and entry.kind == "file":
                    yield branch.name, match[1]


def read_acknowledgement(
    exchange: Reader, sender: str, recipient: str, referral_id: str, keys: BranchKeys, directory: Directory
) -> Acknowledgement:
    """The recipient's answer to a referral of ours.

    Parameters
    ----------
    exchange
        The whole tree.
    sender, keys
        Us.
    recipient, referral_id
        As `acknowledged` found them.
    directory
        The newest one.

    Raises
    ------
    Refused
        Not the recipient's word about this referral: log it, and look no more at it.
    NotThere
        It was removed.
    """
    name = places.acknowledgement_name(sender, referral_id)
    sealed = exchange.read(f"{places.outbox_of(recipient)}/{name}", _MAX_BYTES)
    body = open_signed(_PURPOSE, unseal(sealed, keys.seal), directory.branch(recipient).verify_keys)
    answer = Acknowledgement.decode(body)
    if (answer.sender, answer.recipient, answer.referral_id) != (sender, recipient, referral_id):
        raise NotForUs(f"{answer.recipient}'s answer to {answer.referral_id} lies under another name")
    return answer


def spent(exchange: Reader, outbox: Writer, recipient: str, known: Container[Offer] = ()) -> list[Offer]:
    """The referrals that we have answered and their senders have removed; those known to be need no second look."""
    return [offer for offer in answered(outbox) if offer in known or is_gone(exchange, offer, recipient)]


def remove(outbox: Writer, offers: Iterable[Offer]) -> None:
    """Remove our acknowledgements of these referrals."""
    for offer in offers:
        outbox.delete(places.acknowledgement_name(offer.sender, offer.referral_id))


def answered(outbox: Writer) -> Iterator[Offer]:
    """The referrals of which an acknowledgement lies in our outbox."""
    senders = [entry.name for entry in outbox.list() if entry.kind == "folder" and NAME.fullmatch(entry.name)]
    for sender in senders:
        for entry in outbox.list(sender):
            if match := places.ACKNOWLEDGEMENT.fullmatch(entry.name):
                yield Offer(sender, match[1])
