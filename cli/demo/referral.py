"""The last stretch of the road: a doctor refers the patient, and both branches count what arrived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appliance.errors import ApplianceError
from cli.demo.parcels import kept_parcels, opened_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cli.demo.branch import Session
    from cli.demo.stops import Stop

ARRIVED_WITHIN_S = 300


@dataclass(frozen=True)
class Referral:
    """What went from one branch to another, as both of them count it."""

    sender: str
    recipient: str
    sent: int
    arrived: int
    parcels: int
    outsiders: tuple[str, ...]


def refer(sender: Stop, recipient: Stop, others: Sequence[Stop], patients: Iterable[str], exchange: Path) -> Referral:
    """Refer patients as a doctor of the sender, wait until both sides count all, and let the others try the parcels.

    Raises
    ------
    ApplianceError
        When a referral is refused, does not arrive in time, or when a branch that it is not for opens a parcel.
    """
    kept = exchange.parent / "seen-in-exchange"
    with kept_parcels(exchange, kept):
        doctor = sender.session("doctor", "admin")
        ids = [doctor.refer(patient, recipient.name) for patient in patients]
        sent = [_arrived(doctor, referral_id) for referral_id in ids]
    reader = recipient.session()
    arrived = [_arrived(reader, referral_id) for referral_id in ids]
    parcels = sorted(kept.iterdir())
    outsiders = [other for other in others if other.keys is not None]
    _check_sealed(parcels, recipient, outsiders)
    return Referral(
        sender.name, recipient.name, sum(sent), sum(arrived), len(parcels), tuple(other.name for other in outsiders)
    )


def _arrived(session: Session, referral_id: str) -> int:
    """How many instances of a referral arrived, once it is all of them."""
    seen: dict[str, Any] = {}

    def complete() -> bool:
        seen.update(session.get(f"/api/referrals/{referral_id}"))
        if seen["refused"]:
            raise ApplianceError(f"{seen['to']} refused the referral: {seen['refused']}")
        return bool(seen["total"]) and seen["arrived"] == seen["total"]

    session.until(complete, f"complete referral {referral_id}", ARRIVED_WITHIN_S)
    return int(seen["arrived"])


def _check_sealed(parcels: Sequence[Path], recipient: Stop, others: Sequence[Stop]) -> None:
    """Raise when somebody but the recipient opens a parcel, or when even the recipient cannot."""
    for other in others:
        assert other.keys is not None
        if opened := [parcel.name for parcel in parcels if opened_by(other.keys, parcel)]:
            raise ApplianceError(f"{other.name} opened what is sealed to {recipient.name}: {', '.join(opened)}")
    if recipient.keys is not None and not any(opened_by(recipient.keys, parcel) for parcel in parcels):
        raise ApplianceError(f"Nothing that {recipient.name} can open was seen in the exchange")
