"""The list of referrals: what is on its way is seen first, however many others there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from appliance.people_tables import ReceivedReferral, ReferralAttempt
from tests.appliance.hospital import Hospital, ct, hospitals

if TYPE_CHECKING:
    from collections.abc import Iterator

FLOOD = 520
NOW = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture(scope="module")
def erode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """A branch with one referral on its way, and then a flood of another's, the last of which is the newest."""
    with hospitals(tmp_path_factory.mktemp("one"), "erode", "salem") as (hospital, _salem):
        hospital.accept_all().serve()
        hospital.keep(ct("ER-1", "Murugan^Selvi", 1))
        hospital.keep(ct("ER-2", "Raja^Kannan", 1))
        doctor = hospital.client("dr.anbu")
        for patient in ("ER-1", "ER-2"):
            doctor.post("/api/referrals", json={"patient_id": patient, "to": "salem"}).raise_for_status()
        with hospital.archive.index.writing() as session:
            session.add_all(_received(number) for number in range(FLOOD))
            session.add(_received(FLOOD, total=0))
            session.add_all(_attempt(name, given_up=name == "rests") for name in ("rests", "begun"))
        yield hospital


def _received(number: int, total: int = 1) -> ReceivedReferral:
    at = NOW + timedelta(seconds=number)
    return ReceivedReferral(sender="salem", referral_id=f"flood-{number}", received=at, state="arrived", total=total)


def _attempt(name: str, *, given_up: bool) -> ReferralAttempt:
    return ReferralAttempt(
        sender="salem", referral_id=name, version="1", attempts=3, begun=NOW - timedelta(days=1), given_up=given_up
    )


def test_what_is_on_its_way_comes_first_and_nothing_is_left_out(erode: Hospital) -> None:
    client = erode.client("r.devi")
    answer = client.get("/api/referrals")
    assert (len(answer.json()), answer.headers["x-total-count"]) == (500, str(FLOOD + 3))
    rows = answer.json() + client.get("/api/referrals", params={"offset": 500}).json()
    assert [row["patient_id"] for row in rows[:2]] == ["ER-2", "ER-1"]
    assert {row["state"] for row in rows[:2]} == {"prepared"}
    assert [row["referral_id"] for row in rows[2:]] == [*(f"flood-{n}" for n in reversed(range(FLOOD))), "rests"]
    assert rows[-1]["state"] == "given up"
    assert client.get("/api/referrals", params={"limit": 0}).status_code == 422


def test_an_old_one_is_withdrawn_from_the_first_page(erode: Hospital) -> None:
    page = erode.client("dr.anbu").get("/referrals").text
    assert "Page 1 of 11" in page
    assert page.count(">Withdraw</button>") == 2
    assert 'data-moving="yes"' in page
    assert 'href="/referrals?page=2"' in page


def test_the_others_are_on_further_pages(erode: Hospital) -> None:
    client = erode.client("k.mani")
    second, last = client.get("/referrals?page=2").text, client.get("/referrals?page=99").text
    assert "data-moving" not in second + last
    assert "http-equiv" not in second + last
    assert "Page 11 of 11" in last
    assert "given up" in last
    assert 'name="sender" value="salem"' in last
