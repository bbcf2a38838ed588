"""A referral whose taking ends the service is given up after a few times, told, and tried again when an admin asks."""

from __future__ import annotations

import sys
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import select, update

from appliance.people_tables import AuditEntry, ReferralAttempt
from appliance.referral import attempts
from appliance.referral.attempts import FIRST_REST, MOST, Attempts, NotGivenUp, rest_after, try_again
from exchange.offers import Offer
from provision.fleet.health import health_of
from tests.appliance.hospital import PASSWORD, Hospital, ct, hospitals
from tests.appliance.process import ApplianceProcess
from tests.appliance.referring import ANBU, refer, row
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLY = (sys.executable, str(Path(__file__).with_name("deadly_referral.py")), "ER-666")


@pytest.fixture
def erode(tmp_path: Path) -> Iterator[Hospital]:
    with hospitals(tmp_path, "erode") as (opened,):
        yield opened


@pytest.fixture
def salem(erode: Hospital, tmp_path: Path) -> Iterator[ApplianceProcess]:
    """A process of its own, in which a parcel of patient ER-666 is deadly."""
    process = ApplianceProcess(tmp_path / "salem-process", erode.community, "salem")
    try:
        yield process.start(prefix=DEADLY).enrol()
    finally:
        process.kill()


def person(at: ApplianceProcess, login: str) -> httpx.Client:
    invited = {"login": login, "code": at.community.codes[at.branch][login], "password": PASSWORD}
    client = httpx.Client(base_url=f"http://{at.address}:8080", trust_env=False, timeout=30)
    client.post("/api/invitations/accept", json=invited).raise_for_status()
    client.post("/api/session", json={"login": login, "password": PASSWORD}).raise_for_status()
    return client


def dies(at: ApplianceProcess) -> None:
    assert at.process is not None
    at.process.wait(120)
    at.kill()


def arrived(at: ApplianceProcess) -> list[str]:
    return [name for (name,) in at.rows("SELECT patient_id FROM received_referral ORDER BY 1")]


@pytest.mark.timeout(600)
def test_the_others_arrive_and_an_admin_lets_it_be_tried_again(erode: Hospital, salem: ApplianceProcess) -> None:
    with closing(person(salem, "k.mani")) as admin, closing(person(salem, "r.devi")) as radiographer:
        given_up_and_tried_again(erode, salem, admin, radiographer)


def given_up_and_tried_again(
    erode: Hospital, salem: ApplianceProcess, admin: httpx.Client, radiographer: httpx.Client
) -> None:
    erode.people.enrolment.step()
    erode.keep(ct("ER-666", "Deadly^Parcel", 2))
    erode.keep(ct("ER-1", "Other^Patient", 1))
    deadly, other = refer(erode, _named(salem), "ER-666"), refer(erode, _named(salem), "ER-1")
    erode.sending.step()
    for _ in range(MOST):
        dies(salem)
        salem.start(prefix=DEADLY, wait=False)
    until(lambda: arrived(salem) == ["ER-1"])
    until(lambda: salem.health() is not None)

    health = health_of(salem.address)
    assert health is not None
    assert health.referrals_given_up == 1
    lines = [line for line in salem.lines() if line["event"] == "referral given up"]
    assert [(line["referral"], line["sender"], line["level"]) for line in lines] == [(deadly, "erode", "error")]
    told = {one["referral_id"]: one for one in admin.get("/api/referrals").json()}
    assert told[other]["state"] == "arrived"
    assert (told[deadly]["state"], told[deadly]["patient_name"], told[deadly]["total"]) == (
        "given up",
        "Deadly^Parcel",
        2,
    )
    assert "3 times" in told[deadly]["refused"]
    assert "Try again" in admin.get("/referrals").text
    assert "Try again" not in radiographer.get("/referrals").text
    assert radiographer.post(f"/api/referrals/{deadly}/try-again", json={"sender": "erode"}).status_code == 403

    assert admin.post(f"/api/referrals/{deadly}/try-again", json={"sender": "erode"}).status_code == 204
    dies(salem)
    salem.start()
    until(lambda: arrived(salem) == ["ER-1", "ER-666"])
    until(lambda: salem.rows("SELECT count(*) FROM referral_attempt") == [(0,)])
    erode.sending.step()
    assert (row(erode, deadly).state, row(erode, deadly).arrived) == ("arrived", 2)
    acts = salem.rows(
        "SELECT who, action, outcome, json_extract(detail, '$.patient') FROM audit"
        " WHERE outcome = 'given up' OR action = 'try-again'"
    )
    assert ("branch:erode", "referral-received", "given up", "ER-666") in acts
    assert ("k.mani", "try-again", "done", "ER-666") in acts
    assert ("r.devi", "try-again", "refused") in [act[:3] for act in acts]


def _named(process: ApplianceProcess) -> Hospital:
    return process  # type: ignore[return-value]  # whoever refers to it needs its branch's name alone


MINUTE = timedelta(minutes=1)
OFFER = Offer("salem", "12345678-1234-4234-8234-123456789012")


def tracked(erode: Hospital) -> Attempts:
    """As the service has them right after a start."""
    return Attempts(erode.archive.index, erode.people.audit)


def killed(erode: Hospital, *, is_asked: bool = False) -> None:
    """The service ends in the middle of an attempt: what the index has of it then is what is left."""
    one = tracked(erode)
    with one.counted(OFFER):
        if is_asked:
            one.excuse()
        with erode.archive.index.session() as session:
            left = session.get_one(ReferralAttempt, (OFFER.sender, OFFER.referral_id))
    with erode.archive.index.writing() as session:
        session.merge(left)


def rows(erode: Hospital) -> list[int]:
    with erode.archive.index.session() as session:
        return list(session.scalars(select(ReferralAttempt.attempts)))


def test_an_attempt_that_ends_leaves_nothing(erode: Hospital) -> None:
    with suppress(ZeroDivisionError), tracked(erode).counted(OFFER):
        assert rows(erode) == [1]
        raise ZeroDivisionError
    assert rows(erode) == []


def test_it_is_given_up_after_so_many_and_told_once(erode: Hospital) -> None:
    for count in range(1, MOST + 1):
        assert not tracked(erode).left().get(OFFER)
        killed(erode)
        assert rows(erode) == [count]
    for _ in range(3):
        assert tracked(erode).left() == {OFFER: True}
    with erode.archive.index.session() as session:
        told = session.scalars(select(AuditEntry).where(AuditEntry.outcome == "given up")).all()
    assert len(told) == 1


def begun(erode: Hospital, ago: timedelta) -> None:
    """The last attempt was made so long ago, by the clock of then."""
    with erode.archive.index.writing() as session:
        session.execute(update(ReferralAttempt).values(begun=datetime.now(UTC) - ago))


@pytest.mark.parametrize("direction", [1, -1], ids=["later", "by a clock that was wrong"])
def test_it_is_tried_again_after_a_while(erode: Hospital, direction: int) -> None:
    """Three power cuts in one long referral do not lose it; one that kills each time does so more and more seldom."""
    for _ in range(MOST):
        killed(erode)
    assert tracked(erode).left() == {OFFER: True}
    begun(erode, direction * (FIRST_REST + MINUTE))
    assert tracked(erode).left() == {OFFER: False}
    killed(erode)
    assert rows(erode) == [MOST + 1]
    begun(erode, direction * (FIRST_REST + MINUTE))
    assert tracked(erode).left() == {OFFER: True}
    begun(erode, direction * (2 * FIRST_REST + MINUTE))
    assert tracked(erode).left() == {OFFER: False}
    with tracked(erode).counted(OFFER):
        pass
    assert rows(erode) == []


def test_it_rests_for_a_day_at_most() -> None:
    assert [rest_after(MOST + more) for more in (0, 1, 8, 9, 10, 100_000)] == [
        FIRST_REST,
        2 * FIRST_REST,
        timedelta(hours=21, minutes=20),
        *[timedelta(days=1)] * 3,
    ]


def test_a_service_that_is_stopped_is_nobody_s_fault(erode: Hospital) -> None:
    for _ in range(2 * MOST):
        killed(erode, is_asked=True)
    assert rows(erode) == [0]
    assert tracked(erode).left() == {OFFER: False}


def test_nothing_is_counted_any_more_once_it_is_being_stopped(erode: Hospital) -> None:
    one = tracked(erode)
    one.excuse()
    with one.counted(OFFER):
        assert rows(erode) == []


def test_another_version_tries_again(erode: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(MOST):
        killed(erode)
    assert tracked(erode).left() == {OFFER: True}
    monkeypatch.setattr(attempts, "version", lambda _: "99.0")
    assert tracked(erode).left() == {OFFER: False}
    killed(erode)
    assert rows(erode) == [1]


def test_only_what_was_given_up_is_tried_again(erode: Hospital) -> None:
    killed(erode)
    with pytest.raises(NotGivenUp):
        try_again(erode.archive.index, erode.people.audit, OFFER, ANBU)


def test_what_its_sender_took_away_is_not_shown_any_more(erode: Hospital) -> None:
    for _ in range(MOST):
        killed(erode)
    erode.receiving.step()
    assert rows(erode) == []
