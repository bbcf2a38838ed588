"""The unpacking of a referral: its parcels become arrivals in the spool, each held against the signed manifest."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from appliance.errors import Unreadable
from appliance.keeping.header import read_header
from appliance.keeping.room import leave_room
from appliance.keeping.spool import Arrival, room_told
from exchange.errors import NotAllowed, Tampered
from exchange.receiving import open_parcel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from appliance.keeping.archive import Archive
    from appliance.keeping.header import Header
    from exchange.directory import Directory
    from exchange.keys import BranchKeys
    from exchange.manifest import Manifest, ManifestInstance
    from exchange.receiving import Arrived
    from exchange.store import Reader

#: What manifest and data set must agree in. (0008,0018), (0008,0016), (0020,000D), (0020,000E), (0002,0010)
IDENTITY = (
    "sop_instance_uid",
    "sop_class_uid",
    "study_instance_uid",
    "series_instance_uid",
    "transfer_syntax_uid",
)


@contextmanager
def unpacked(archive: Archive, exchange: Reader, manifest: Manifest, keys: BranchKeys) -> Iterator[list[Arrival]]:
    """All instances of a referral, as files of the spool that are gone when the block ends.

    Raises
    ------
    exchange.errors.Refused
        A parcel or an instance is not what the manifest says.
    exchange.errors.NotYet
        A parcel is not there.
    ArchiveFull
        The archive's disk has no room for all of it.
    """
    spooled: list[Arrived] = []
    with room_told("the spool"):
        leave_room(archive.spool, sum(parcel.size for parcel in manifest.parcels))
    try:
        for parcel in manifest.parcels:
            spooled.extend(open_parcel(exchange, manifest, parcel, keys, archive.spool))
        yield [_arrival(manifest, arrived) for arrived in spooled]
    finally:
        for arrived in spooled:
            arrived.path.unlink(missing_ok=True)


def _arrival(manifest: Manifest, arrived: Arrived) -> Arrival:
    named = arrived.instance
    try:
        header = read_header(arrived.path)
    except Unreadable as error:
        raise Tampered(f"instance {named.sop_instance_uid}: {error}") from error
    check_identity(manifest, named, header)
    return Arrival(arrived.path, named.size, named.sha256, header)


def check_identity(manifest: Manifest, named: ManifestInstance, header: Header) -> None:
    """Raise `Tampered` unless the data set is the instance and the patient that the manifest names."""
    for name in IDENTITY:
        if getattr(named, name) != getattr(header, name):
            raise Tampered(f"instance {named.sop_instance_uid}: its {name} is not the manifest's")
    if header.patient_id != manifest.patient.patient_id:
        raise Tampered(f"instance {named.sop_instance_uid}: its patient is not the manifest's")


def check_issuer(
    manifest: Manifest, directory: Directory, branch: str, kept: Callable[[str, str], frozenset[str]]
) -> None:
    """Raise `NotAllowed` unless the sender may speak of this patient.

    The issuer is a branch of the community. Of our own patients others may send back what we have, and add
    nothing: what they have made of such a patient is under their own Patient ID.
    """
    issuer, patient_id = manifest.patient.issuer, manifest.patient.patient_id
    if directory.find(issuer) is None:
        raise NotAllowed("the patient's issuer is no branch of this community")
    if issuer == branch and not {named.sop_instance_uid for named in manifest.instances} <= kept(issuer, patient_id):
        raise NotAllowed(f"{manifest.sender} may not add to a patient of {branch}")
