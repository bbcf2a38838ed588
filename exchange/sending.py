"""Sending a referral: its parcels first, its manifest last; each step may be repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, cast

from exchange import places
from exchange.canonical import NAME, REFERRAL_ID
from exchange.errors import KeyChanged, Tampered, TooLarge
from exchange.manifest import MAX_BYTES, PURPOSE, Manifest, ManifestInstance, ManifestParcel
from exchange.parcel import joined, sha256_of
from exchange.sealing import seal, seal_stream, sealed_limit
from exchange.signing import sign

if TYPE_CHECKING:
    from exchange.directory import Directory
    from exchange.keys import BranchKeys, PublicKeys
    from exchange.outgoing import Outgoing, OutgoingFile
    from exchange.store import Reader, Writer

Progress = Callable[[int, int], None]
"""Called with parcels done and parcels in all."""


def send(
    outbox: Writer, outgoing: Outgoing, keys: BranchKeys, directory: Directory, progress: Progress | None = None
) -> None:
    """Write what is not written yet: the parcels in order, the manifest last. No effect when all is there.

    Parameters
    ----------
    outbox
        The sender's own part of the exchange, `out/<sender>`.
    outgoing
        As `new_referral` made it.
    keys
        The sender's.
    directory
        The newest one.
    progress
        Called after each parcel.

    Raises
    ------
    KeyChanged
        The recipient has other keys by now: withdraw, and make a new referral.
    NotAllowed
        The directory does not allow the pair any more: withdraw.
    Tampered
        A file of the archive, or a parcel that was written before, is not what it was, or cannot be read.
    OSError
        The outbox is full, or away.
    """
    directory.check_referral(outgoing.sender, outgoing.recipient)
    recipient = _recipient_keys(outgoing, directory)
    written = {entry.name for entry in outbox.list(outgoing.folder)}
    if places.MANIFEST in written:
        return
    runs = outgoing.parcels
    parcels = []
    for number, run in enumerate(runs, start=1):
        name = places.parcel_name(number)
        place, files = f"{outgoing.folder}/{name}", outgoing.files[run]
        again = name in written
        parcels.append(_measured(outbox, place, files) if again else _written(outbox, place, files, recipient))
        if progress is not None:
            progress(number, len(runs))
    _put_manifest(outbox, _manifest(outgoing, keys, directory, parcels), keys, recipient)


def withdraw(outbox: Writer, recipient: str, referral_id: str) -> None:
    """Remove a referral, the manifest first: after the acknowledgement, on expiry, or because it is taken back."""
    folder = places.in_outbox(recipient, referral_id)
    outbox.delete(f"{folder}/{places.MANIFEST}")
    for entry in list(outbox.list(folder)):
        outbox.delete(f"{folder}/{entry.name}")
    outbox.remove_folder(folder)


def is_whole(store: Reader, folder: str, parcels: int) -> bool:
    """Whether a referral's folder holds its manifest and so many parcels."""
    wanted = {places.MANIFEST, *(places.parcel_name(number) for number in range(1, parcels + 1))}
    return wanted <= {entry.name for entry in store.list(folder)}


def outstanding(outbox: Writer) -> Iterator[tuple[str, str]]:
    """Recipient and id of each referral that lies in the outbox, whole or not."""
    recipients = [entry.name for entry in outbox.list() if entry.kind == "folder" and NAME.fullmatch(entry.name)]
    for recipient in recipients:
        for entry in outbox.list(recipient):
            if entry.kind == "folder" and REFERRAL_ID.fullmatch(entry.name):
                yield recipient, entry.name


def _recipient_keys(outgoing: Outgoing, directory: Directory) -> PublicKeys:
    keys = directory.branch(outgoing.recipient).keys
    if keys.fingerprint != outgoing.recipient_key_id:
        raise KeyChanged(
            f"{outgoing.recipient} has new keys since this referral was made: it has to be made again",
            outgoing.recipient_key_id,
            keys.fingerprint,
        )
    return keys


class _Hashing:
    """A stream to write in, which remembers digest and size of what went through."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, piece: bytes) -> int:
        self._digest.update(piece)
        self.size += len(piece)
        return self._stream.write(piece)

    def flush(self) -> None:
        self._stream.flush()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def _written(outbox: Writer, name: str, files: Sequence[OutgoingFile], recipient: PublicKeys) -> ManifestParcel:
    with outbox.create(name) as target, joined(files) as source:
        hashing = _Hashing(target)
        seal_stream(source, cast("BinaryIO", hashing), [recipient.seal])
    return _parcel(name, files, hashing.sha256, hashing.size)


def _measured(outbox: Writer, name: str, files: Sequence[OutgoingFile]) -> ManifestParcel:
    """A parcel that was written before a crash: whole, or it would not have its name."""
    limit = sealed_limit(sum(file.size for file in files))
    with outbox.open(name, limit) as stream:
        return _parcel(name, files, *sha256_of(stream))


def _parcel(name: str, files: Sequence[OutgoingFile], sha256: str, size: int) -> ManifestParcel:
    plain_size = sum(file.size for file in files)
    if size <= plain_size:
        raise Tampered(f"the parcel {name} in the outbox is smaller than what was put into it")
    return ManifestParcel(name=name.rpartition("/")[2], size=size, sha256=sha256, plain_size=plain_size)


def _manifest(
    outgoing: Outgoing, keys: BranchKeys, directory: Directory, parcels: Sequence[ManifestParcel]
) -> Manifest:
    return Manifest(
        referral_id=outgoing.referral_id,
        sender=outgoing.sender,
        recipient=outgoing.recipient,
        sender_key_id=keys.public.fingerprint,
        recipient_key_id=outgoing.recipient_key_id,
        directory_version=directory.version,
        sequence=outgoing.sequence,
        issued=outgoing.issued,
        expires=outgoing.expires,
        patient=outgoing.patient,
        studies=outgoing.studies,
        instances=tuple(_instances(outgoing)),
        parcels=tuple(parcels),
    )


def _instances(outgoing: Outgoing) -> Iterator[ManifestInstance]:
    for number, run in enumerate(outgoing.parcels, start=1):
        offset = 0
        for file in outgoing.files[run]:
            yield ManifestInstance(
                sop_instance_uid=file.sop_instance_uid,
                sop_class_uid=file.sop_class_uid,
                study_instance_uid=file.study_instance_uid,
                series_instance_uid=file.series_instance_uid,
                transfer_syntax_uid=file.transfer_syntax_uid,
                size=file.size,
                sha256=file.sha256,
                parcel=places.parcel_name(number),
                offset=offset,
            )
            offset += file.size


def _put_manifest(outbox: Writer, manifest: Manifest, keys: BranchKeys, recipient: PublicKeys) -> None:
    sealed = seal(sign(PURPOSE, manifest.encode(), keys.sign), [recipient.seal])
    if len(sealed) > MAX_BYTES:
        raise TooLarge(f"the manifest has {len(sealed)} bytes, more than the {MAX_BYTES} of one referral")
    outbox.put(f"{places.in_outbox(manifest.recipient, manifest.referral_id)}/{places.MANIFEST}", sealed)
