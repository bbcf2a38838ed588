"""Receiving a referral: look at names, types, counts and sizes, then open, verify, judge, and cut the parcels apart."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, cast

from exchange import places
from exchange.errors import (
    BadSignature,
    Incomplete,
    NotForUs,
    NotThere,
    ReferralExpired,
    Replayed,
    Tampered,
    TooLarge,
    UnknownYet,
    UnsafeEntry,
)
from exchange.manifest import MAX_BYTES, PURPOSE, Manifest
from exchange.parcel import Splitter, sha256_of
from exchange.sealing import unseal, unseal_stream
from exchange.signing import open_signed, unverified
from exchange.store import TEMPORARY, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from exchange.directory import Directory, DirectoryBranch
    from exchange.keys import BranchKeys
    from exchange.manifest import ManifestInstance, ManifestParcel
    from exchange.offers import Offer
    from exchange.store import Reader

_MAX_FILES = places.MAX_PARCELS + 1
_SPARE = 64
"""Temporary files that a sender may have lying about beside a referral."""


@dataclass(frozen=True)
class Arrived:
    """An instance out of a parcel: a whole file, of the digest that the sender signed."""

    instance: ManifestInstance
    path: Path


def open_manifest(exchange: Reader, offer: Offer, recipient: str, keys: BranchKeys, directory: Directory) -> Manifest:
    """The offer's manifest, authentic and meant for us.

    A refusal here concerns something that nobody has vouched for: it is logged, and not answered.

    Raises
    ------
    UnsafeEntry, TooLarge
        By names, types, counts or sizes alone; nothing was opened.
    CannotOpen, Malformed, BadSignature, NotForUs, Replayed, NotAllowed
        Not sealed to us; not a manifest; not the sender's; meant for or lifted from another place; the
        sender is unknown or revoked.
    Incomplete, UnknownYet
        Parts are missing, or it is signed by a key of a directory that we have not seen yet.
    """
    folder = _folder(offer.sender, recipient, offer.referral_id)
    sizes = _survey(exchange, folder)
    sender = directory.branch(offer.sender)
    with _absent_is_incomplete():
        sealed = exchange.read(f"{folder}/{places.MANIFEST}", MAX_BYTES)
    manifest = _verified(unseal(sealed, keys.seal), sender, directory)
    _check_address(manifest, offer, recipient, keys)
    _check_sizes(manifest, sizes)
    return manifest


def judge(manifest: Manifest, directory: Directory, *, now: datetime, seen: Callable[[str, int], str | None]) -> None:
    """Raise unless an authentic manifest is to be taken now. A refusal from here on is answered.

    Parameters
    ----------
    manifest
        As `open_manifest` returned it.
    directory
        The newest one.
    now
        By our clock, which makes things wait and never refuses them.
    seen
        The referral id that a sender's key id and sequence number were used for, if any.

    Raises
    ------
    NotAllowed
        The directory does not allow the pair.
    Replayed
        The sequence number belongs to another referral.
    UnknownYet, DirectoryExpired, ReferralExpired
        Later, with a newer directory or a right clock, it may be taken.
    """
    if manifest.directory_version > directory.version:
        raise UnknownYet(f"made under directory version {manifest.directory_version}, we have {directory.version}")
    directory.check_referral(manifest.sender, manifest.recipient)
    directory.check_fresh(now)
    if seen(manifest.sender_key_id, manifest.sequence) not in {None, manifest.referral_id}:
        raise Replayed(f"{manifest.sender} used the sequence number {manifest.sequence} for another referral")
    if now >= manifest.expires:
        raise ReferralExpired(f"by our clock, the referral expired on {manifest.expires:%Y-%m-%d}")


def open_parcel(
    exchange: Reader, manifest: Manifest, parcel: ManifestParcel, keys: BranchKeys, folder: Path
) -> tuple[Arrived, ...]:
    """The instances of one parcel, as files in `folder`: all of them, or none and an error.

    The sealed bytes are read twice: nothing is decrypted before its digest is the signed one.

    Raises
    ------
    Tampered, CannotOpen, TooLarge, UnsafeEntry
        Not the parcel that the sender signed.
    Incomplete
        It is not there any more.
    OSError
        Our own disk is full.
    """
    name = f"{_folder(manifest.sender, manifest.recipient, manifest.referral_id)}/{parcel.name}"
    _check_digest(exchange, name, parcel)
    instances = manifest.in_parcel(parcel)
    splitter = Splitter(instances, folder, parcel.name.partition(".")[0])
    try:
        with _absent_is_incomplete(), exchange.open(name, parcel.size) as stream:
            unseal_stream(stream, cast("BinaryIO", splitter), keys.seal)
        splitter.finish()
    except BaseException:
        splitter.discard()
        raise
    return tuple(Arrived(instance, path) for instance, path in zip(instances, splitter.paths, strict=True))


def _folder(sender: str, recipient: str, referral_id: str) -> str:
    return f"{places.letterbox(sender, recipient)}/{referral_id}"


def _survey(exchange: Reader, folder: str) -> dict[str, int]:
    """Names and sizes of a referral's files, after a look at all entries and before a look into any."""
    sizes: dict[str, int] = {}
    looked_at = 0
    for entry in islice(exchange.list(folder), _MAX_FILES + _SPARE):
        looked_at += 1
        if entry.name.startswith(TEMPORARY):
            continue
        if entry.kind != "file" or not _is_expected(entry.name):
            raise UnsafeEntry(f"{printable(entry.name)} does not belong into a referral")
        sizes[entry.name] = entry.size
    if looked_at == _MAX_FILES + _SPARE:
        raise TooLarge(f"more than {_MAX_FILES} files in one referral")
    if places.MANIFEST not in sizes:
        raise Incomplete("the manifest is not there yet")
    return sizes


def _is_expected(name: str) -> bool:
    return name == places.MANIFEST or places.PARCEL.fullmatch(name) is not None


def _verified(envelope: bytes, sender: DirectoryBranch, directory: Directory) -> Manifest:
    try:
        manifest = Manifest.decode(open_signed(PURPOSE, envelope, sender.verify_keys))
    except BadSignature as error:
        # Whoever wrote this, waiting is harmless: the offer stays where it is, and is looked at again.
        if Manifest.decode(unverified(envelope)).directory_version > directory.version:
            raise UnknownYet(f"{error}; it names a newer directory") from None
        raise
    if manifest.sender_key_id not in {keys.fingerprint for keys in sender.signers}:
        raise BadSignature(f"it names a key that is not {sender.name}'s")
    return manifest


def _check_address(manifest: Manifest, offer: Offer, recipient: str, keys: BranchKeys) -> None:
    if manifest.sender != offer.sender:
        raise NotForUs(f"{manifest.sender}'s manifest lies in {offer.sender}'s outbox")
    if manifest.recipient != recipient:
        raise NotForUs(f"it is meant for {manifest.recipient}")
    if manifest.recipient_key_id != keys.public.fingerprint:
        raise NotForUs(f"it is meant for the key {manifest.recipient_key_id}, which is not ours")
    if manifest.referral_id != offer.referral_id:
        raise Replayed(f"the referral {manifest.referral_id} lies there under another id")


def _check_sizes(manifest: Manifest, sizes: dict[str, int]) -> None:
    for parcel in manifest.parcels:
        if parcel.name not in sizes:
            raise Incomplete(f"{parcel.name} is not there")
        if sizes[parcel.name] != parcel.size:
            raise Tampered(f"{parcel.name} has {sizes[parcel.name]} bytes, its manifest says {parcel.size}")


def _check_digest(exchange: Reader, name: str, parcel: ManifestParcel) -> None:
    with _absent_is_incomplete(), exchange.open(name, parcel.size) as stream:
        sha256, size = sha256_of(stream)
    if (sha256, size) != (parcel.sha256, parcel.size):
        raise Tampered(f"{parcel.name} is not the one that {name.split('/')[1]} signed: its digest differs")


@contextmanager
def _absent_is_incomplete() -> Iterator[None]:
    try:
        yield
    except NotThere as error:
        raise Incomplete(str(error)) from error
