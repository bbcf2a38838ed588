"""The manifest: what a referral holds, signed by its sender and sealed to its recipient."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass as document

from exchange import places
from exchange.canonical import STRICT, Count, Document, Line, Moment, Name, Ordinal, ReferralId, Sha256, Uid, Version
from exchange.sealing import sealed_limit

PURPOSE = "manifest"
MAX_INSTANCES = 20_000
MAX_INSTANCE_BYTES = 8 << 30
"""Beyond the 4 GiB that an element of explicit length can have (PS3.5 7.1.1), with room for several."""
MAX_BYTES = 16 << 20
"""Of the sealed manifest: 20,000 instances with UIDs of 64 characters take 13 MB."""

ParcelName = Annotated[str, Field(pattern=f"^{places.PARCEL.pattern}$")]
KeyId = Annotated[str, Field(pattern="^[A-Z2-7]{4}(-[A-Z2-7]{4}){4}$")]
"""A fingerprint of public keys."""


@document(frozen=True, config=STRICT, repr=False)
class PatientSummary(Document):
    """The patient as the sender knows them; the identifier means something with its issuer only.

    No `repr`: what is printed ends in logs.
    """

    patient_id: Line
    issuer: Line
    name: Line = ""
    birth_date: Line = ""
    sex: Line = ""


@document(frozen=True, config=STRICT, repr=False)
class StudySummary(Document):
    """A study of the referral, for a list."""

    study_instance_uid: Uid
    date: Line = ""
    description: Line = ""
    modalities: tuple[Line, ...] = ()


@document(frozen=True, config=STRICT)
class Instance(Document):
    """What both sides know of an instance: its UIDs, and size and digest of its DICOM file."""

    sop_instance_uid: Uid
    sop_class_uid: Uid
    study_instance_uid: Uid
    series_instance_uid: Uid
    transfer_syntax_uid: Uid
    size: Annotated[int, Field(ge=1, le=MAX_INSTANCE_BYTES)]
    sha256: Sha256


@document(frozen=True, config=STRICT)
class ManifestInstance(Instance):
    """An instance that starts at `offset` of a plain parcel."""

    parcel: ParcelName
    offset: Count


@document(frozen=True, config=STRICT)
class ManifestParcel(Document):
    """One parcel: `size` and `sha256` are of the sealed bytes."""

    name: ParcelName
    size: Ordinal
    sha256: Sha256
    plain_size: Ordinal


@document(frozen=True, config=STRICT)
class Manifest(Document):
    """A referral; instances stand in the order in which they lie in the parcels, without gaps."""

    referral_id: ReferralId
    sender: Name
    recipient: Name
    sender_key_id: KeyId
    recipient_key_id: KeyId
    directory_version: Version
    sequence: Ordinal
    issued: Moment
    expires: Moment
    patient: PatientSummary
    studies: tuple[StudySummary, ...]
    instances: Annotated[tuple[ManifestInstance, ...], Field(min_length=1, max_length=MAX_INSTANCES)]
    parcels: Annotated[tuple[ManifestParcel, ...], Field(min_length=1, max_length=places.MAX_PARCELS)]

    def __post_init__(self) -> None:
        _check_parcels(self.parcels)
        _check_instances(self)

    def in_parcel(self, parcel: ManifestParcel) -> tuple[ManifestInstance, ...]:
        """The instances of one parcel, in order."""
        return tuple(instance for instance in self.instances if instance.parcel == parcel.name)


def _check_parcels(parcels: tuple[ManifestParcel, ...]) -> None:
    names = [parcel.name for parcel in parcels]
    if names != [places.parcel_name(number) for number in range(1, len(names) + 1)]:
        raise ValueError("parcels are not numbered from 1 on")
    if any(parcel.size > sealed_limit(parcel.plain_size) for parcel in parcels):
        raise ValueError("a parcel is larger than its content")


def _check_instances(manifest: Manifest) -> None:
    uids = [instance.sop_instance_uid for instance in manifest.instances]
    if len(uids) != len(set(uids)):
        raise ValueError("an instance is named twice")
    ends = dict.fromkeys((parcel.name for parcel in manifest.parcels), 0)
    for instance in manifest.instances:
        if ends.get(instance.parcel) != instance.offset:
            raise ValueError("instances do not follow each other in their parcels")
        ends[instance.parcel] = instance.offset + instance.size
    if any(ends[parcel.name] != parcel.plain_size for parcel in manifest.parcels):
        raise ValueError("instances do not fill their parcels")
    if any(before.parcel > after.parcel for before, after in pairwise(manifest.instances)):
        raise ValueError("instances do not stand in the order of their parcels")
