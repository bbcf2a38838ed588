"""An outbox that may hold only so much: the own one is not filled beyond it, and no more is taken from another's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, select

from appliance.index.engine import open_index
from appliance.index.migrations.upgrade import run_steps
from appliance.people_tables import SentReferral
from appliance.referral.outbox import OutboxFull, used_bytes
from appliance.referral.states import ARRIVED, SENT
from tests.appliance.hospital import Hospital, ct, hospitals
from tests.appliance.referring import ANBU, exchanged, refer, row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIB = 1 << 10
#: One CT of `ct()` is 39 KiB, and its manifest is allowed a few.
ONE, TWO = 60 * KIB, 120 * KIB


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be taken is looked at again in the next round."""
    monkeypatch.setattr("appliance.referral.ledger.FIRST_REST_S", 0.0)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Hospital, Hospital]]:
    with hospitals(tmp_path, "erode", "salem") as opened:
        yield opened  # type: ignore[misc]


def limit(hospital: Hospital, outbox_bytes: int) -> None:
    """The community tells a branch another limit."""
    hospital.community.appoint(hospital.branch, outbox_bytes=outbox_bytes)
    hospital.people.enrolment.step()
    assert hospital.people.settings.outbox_bytes() == outbox_bytes


def used(hospital: Hospital) -> int:
    with hospital.archive.index.session() as session:
        return used_bytes(session)


def in_outbox(hospital: Hospital) -> int:
    return sum(path.stat().st_size for path in hospital.context.outbox.rglob("*") if path.is_file())


def test_what_is_counted_is_as_much_as_lies_there_or_little_more(pair: tuple[Hospital, Hospital]) -> None:
    erode, salem = pair
    erode.keep(ct(count=7))
    refer(erode, salem)
    erode.step()
    assert in_outbox(erode) <= used(erode) <= in_outbox(erode) + 32 * KIB
    exchanged(erode, salem)
    assert used(erode) == 0


def test_a_referral_that_does_not_fit_is_refused_until_there_is_room(pair: tuple[Hospital, Hospital]) -> None:
    erode, salem = pair
    limit(erode, TWO)
    for patient in ("ER-1", "ER-2", "ER-3"):
        erode.keep(ct(patient, count=1))
    first = refer(erode, salem, "ER-1")
    refer(erode, salem, "ER-2")
    with pytest.raises(OutboxFull, match=r"of whose 1 MiB referrals that are on their way take 1 MiB"):
        refer(erode, salem, "ER-3")
    with erode.archive.index.session() as session:
        assert len(session.scalars(select(SentReferral)).all()) == 2, "nothing of the third is kept"
    assert used(erode) <= TWO
    erode.people.desk.withdraw(first, ANBU)
    third = refer(erode, salem, "ER-3")
    exchanged(erode, salem)
    assert row(erode, third).state == ARRIVED
    assert used(erode) == 0


def test_a_referral_that_never_fits_is_refused_at_once(pair: tuple[Hospital, Hospital]) -> None:
    erode, salem = pair
    limit(erode, ONE)
    erode.keep(ct(count=5))
    with pytest.raises(OutboxFull, match=r"allows a branch 1 MiB at all\. Ask the community's admin"):
        refer(erode, salem)
    limit(erode, 0)
    refer(erode, salem)


def test_more_than_an_outbox_may_hold_is_not_taken_from_it(pair: tuple[Hospital, Hospital]) -> None:
    """A sender that does not heed the limit: it waits, and is neither refused for good nor in anybody's way."""
    erode, salem = pair
    limit(salem, ONE)
    erode.keep(ct(count=5))
    large = refer(erode, salem)
    exchanged(erode, salem, rounds=3)
    assert salem.kept() == []
    assert row(erode, large).state == SENT
    limit(salem, 0)
    exchanged(erode, salem)
    assert row(erode, large).state == ARRIVED
    assert len(salem.kept()) == 5


def test_each_round_takes_no_more_from_one_sender(pair: tuple[Hospital, Hospital]) -> None:
    erode, salem = pair
    limit(salem, ONE)
    for patient in ("ER-1", "ER-2"):
        erode.keep(ct(patient, count=1))
        refer(erode, salem, patient)
    erode.step()
    salem.step()
    assert len(salem.kept()) == 1
    salem.step()
    assert len(salem.kept()) == 2


def test_the_page_and_the_health_say_it(pair: tuple[Hospital, Hospital]) -> None:
    erode, _salem = pair
    limit(erode, ONE)
    erode.accept_all().serve()
    erode.keep(ct(count=5))
    client = erode.client("dr.anbu")
    answer = client.post("/api/referrals", json={"patient_id": "ER-4711", "to": "salem"})
    assert answer.status_code == 507
    assert "Ask the community's admin for a larger outbox" in answer.json()["detail"]
    told = client.get("/health").json()
    assert (told["outbox_bytes"], told["outbox_limit_bytes"]) == (0, ONE)


def test_referrals_of_an_older_index_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    run_steps(engine, "0004")
    frozen = json.dumps({"files": [{"size": 40}, {"size": 2}]}).encode()
    row = "'salem', {0}, 'erode', 'ER-1', '', 'dr.anbu', '2026-11-21', '2026-12-21', ?, '{1}', 2, 1, 1, 0, '', 0"
    names = (
        "referral_id, recipient, sequence, issuer, patient_id, patient_name, requested_by, requested, expires, frozen, "
        "state, total, parcels, parcels_written, arrived, refused, cleared"
    )
    with engine.begin() as connection:
        for number, state in enumerate(("sent", "arrived")):
            told = f"INSERT INTO sent_referral ({names}) VALUES ('{state}', {row.format(number, state)})"
            connection.exec_driver_sql(told, (frozen,))
    engine.dispose()
    index = open_index(path)
    with index.session() as session:
        sizes = {each.referral_id: each.sealed_bytes for each in session.scalars(select(SentReferral))}
        assert used_bytes(session) == 42
    index.close()
    assert sizes == {"sent": 42, "arrived": 0}
