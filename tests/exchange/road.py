"""A referral from files in a sender's archive to files in a recipient's spool, step by step."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exchange.manifest import PatientSummary, StudySummary
from exchange.offers import Offer, waiting
from exchange.outgoing import Outgoing, OutgoingFile, new_referral
from exchange.receiving import Arrived, judge, open_manifest, open_parcel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exchange.directory import Directory
    from exchange.keys import BranchKeys
    from exchange.store import Reader

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
PATIENT = PatientSummary(patient_id="ER-004711", issuer="erode", name="Murugan^Selvi", birth_date="19580301", sex="F")
STUDY_UID = "1.2.826.0.1.3680043.8.498.4711"


def kept(archive: Path, sizes: Sequence[int]) -> tuple[OutgoingFile, ...]:
    """Files of these sizes, as an archive keeps them and its index knows them; the patient's name is in each."""
    archive.mkdir(parents=True, exist_ok=True)
    return tuple(_kept(archive / f"{number}.dcm", number, size) for number, size in enumerate(sizes, start=1))


def _kept(path: Path, number: int, size: int) -> OutgoingFile:
    content = (bytes(128) + b"DICM" + PATIENT.name.encode() + bytes([number % 256]) * size)[:size]
    path.write_bytes(content)
    return OutgoingFile(
        sop_instance_uid=f"{STUDY_UID}.1.{number}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        study_instance_uid=STUDY_UID,
        series_instance_uid=f"{STUDY_UID}.1",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        path=path,
    )


def referral(
    directory: Directory,
    files: Sequence[OutgoingFile],
    sender: str = "erode",
    recipient: str = "salem",
    sequence: int = 1,
    parcel_bytes: int = 2000,
) -> Outgoing:
    return new_referral(
        directory,
        sender=sender,
        recipient=recipient,
        sequence=sequence,
        patient=PATIENT,
        studies=[StudySummary(STUDY_UID, date="20261120", description="CT Thorax", modalities=("CT",))],
        files=files,
        now=NOW,
        parcel_bytes=parcel_bytes,
    )


def unseen(key_id: str, sequence: int) -> None:
    """No sequence number has been used yet."""


def receive(
    exchange: Reader, offer: Offer, recipient: str, keys: BranchKeys, directory: Directory, spool: Path
) -> tuple[Arrived, ...]:
    """All that a recipient does before it files."""
    manifest = open_manifest(exchange, offer, recipient, keys, directory)
    judge(manifest, directory, now=NOW, seen=unseen)
    spool.mkdir(parents=True, exist_ok=True)
    parcels = [open_parcel(exchange, manifest, parcel, keys, spool) for parcel in manifest.parcels]
    return tuple(arrived for parcel in parcels for arrived in parcel)


def offers(exchange: Reader, recipient: str, directory: Directory) -> tuple[Offer, ...]:
    return waiting(exchange, recipient, directory, known=()).offers
