"""Steps of a referral between hospitals of one process, and how it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.referral.listing import ReferralRow, referral
from appliance.referral.request import Asker

if TYPE_CHECKING:
    from tests.appliance.hospital import Hospital

ANBU = Asker("dr.anbu", "10.20.1.7")


def refer(sender: Hospital, to: Hospital, patient_id: str = "ER-4711", issuer: str | None = None) -> str:
    return sender.people.desk.request(patient_id, issuer, to.branch, ANBU).referral_id


def exchanged(*branches: Hospital, rounds: int = 2) -> None:
    for _ in range(rounds):
        for one in branches:
            one.step()


def row(hospital: Hospital, referral_id: str) -> ReferralRow:
    with hospital.archive.index.session() as session:
        found = referral(session, hospital.branch, referral_id)
    assert found is not None
    return found


def outbox_files(hospital: Hospital) -> list[str]:
    return sorted(path.name for path in hospital.context.outbox.rglob("*") if path.is_file())
