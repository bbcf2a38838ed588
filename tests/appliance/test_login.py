"""Coming in: invitations, passwords, sessions, over real sockets."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from appliance.people_tables import AuditEntry
from tests.appliance.community import Community
from tests.appliance.hospital import PASSWORD, Hospital

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

SAME_FOR_ALL = "This login and this code do not belong together, or the code was used already or has expired."


@pytest.fixture
def erode(tmp_path: Path) -> Iterator[Hospital]:
    opened = Hospital(Community(tmp_path / "exchange"), "erode", tmp_path / "erode").enrol().serve()
    yield opened
    opened.close()


def accept(client: httpx.Client, **what: str) -> httpx.Response:
    return client.post("/api/invitations/accept", json=what)


def log_in(client: httpx.Client, login: str = "dr.anbu", password: str = PASSWORD) -> httpx.Response:
    return client.post("/api/session", json={"login": login, "password": password})


def entries(erode: Hospital) -> list[tuple[str, str, str]]:
    with erode.archive.index.session() as session:
        wanted = select(AuditEntry.action, AuditEntry.who, AuditEntry.outcome).order_by(AuditEntry.number)
        return [(action, who, outcome) for action, who, outcome in session.execute(wanted) if action != "settings"]


def test_an_invitation_is_accepted_once(erode: Hospital) -> None:
    client = erode.client()
    code = erode.codes["dr.anbu"]
    assert log_in(client).status_code == 401
    assert accept(client, login="dr.anbu", code=code.lower().replace("-", " "), password=PASSWORD).status_code == 204
    assert log_in(client).status_code == 204
    again = accept(client, login="dr.anbu", code=code, password="another good one")
    assert again.status_code == 422
    assert log_in(client, password="another good one").status_code == 401


def test_an_invitation_is_for_its_login_only_and_tells_nothing(erode: Hospital) -> None:
    client = erode.client()
    code = erode.codes["dr.anbu"]
    answers = [
        accept(client, login="r.devi", code=code, password=PASSWORD),
        accept(client, login="nobody", code=code, password=PASSWORD),
        accept(client, login="dr.anbu", code="AAAA-AAAA-AAAA-AAAA", password=PASSWORD),
    ]
    assert {(answer.status_code, answer.json()["detail"]) for answer in answers} == {
        (422, f"{SAME_FOR_ALL} Your administrator can give you a new one.")
    }


def test_a_weak_password_is_not_taken_and_the_code_stays_good(erode: Hospital) -> None:
    client = erode.client()
    weak = accept(client, login="dr.anbu", code=erode.codes["dr.anbu"], password="password1")
    assert weak.status_code == 422
    assert "10 characters or more" in weak.json()["detail"]
    assert accept(client, login="dr.anbu", code=erode.codes["dr.anbu"], password=PASSWORD).status_code == 204


def test_weak_passwords_of_many_at_one_pc_keep_nobody_out(erode: Hospital) -> None:
    client = erode.client()
    for number in range(25):
        weak = accept(client, login=f"nurse{number}", code="AAAA-AAAA-AAAA-AAAA", password="hospital123")
        assert weak.status_code == 422
    assert accept(client, login="dr.anbu", code=erode.codes["dr.anbu"], password=PASSWORD).status_code == 204
    assert [entry[0] for entry in entries(erode)] == ["invitation"]


def test_a_new_invitation_sets_a_new_password_and_ends_sessions(erode: Hospital) -> None:
    erode.accept_all()
    before = erode.client("dr.anbu")
    erode.community.appoint("erode", {"r.devi": "radiographer"})
    erode.people.enrolment.step()
    codes = erode.community.appoint("erode", {"r.devi": "radiographer", "dr.anbu": "doctor"})
    erode.people.enrolment.step()
    client = erode.client()
    assert log_in(client).status_code == 401
    assert accept(client, login="dr.anbu", code=codes["dr.anbu"], password="another good one").status_code == 204
    assert log_in(client, password="another good one").status_code == 204
    assert before.get("/api/studies").status_code == 401


def test_a_wrong_login_and_a_wrong_password_are_told_alike(erode: Hospital) -> None:
    erode.accept_all()
    client = erode.client()
    known, unknown = log_in(client, password="wrong"), log_in(client, login="nobody")
    assert known.json() == unknown.json()
    assert known.status_code == unknown.status_code == 401


def test_wrong_passwords_make_one_wait_also_with_the_right_one(erode: Hospital) -> None:
    erode.accept_all()
    client = erode.client()
    answers = [log_in(client, password=f"wrong {number}").status_code for number in range(8)]
    assert answers == [401] * 6 + [429] * 2
    held = log_in(client)
    assert held.status_code == 429
    assert 0 < int(held.headers["Retry-After"]) <= 60
    assert log_in(client, login="r.devi").status_code == 204


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(erode: Hospital) -> None:
    erode.accept_all()
    cookie = log_in(erode.client()).headers["set-cookie"]
    assert re.match(r"gurney=[\w-]{43};", cookie)
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))


def test_the_cookie_ends_with_the_browser(erode: Hospital) -> None:
    erode.accept_all()
    cookie = log_in(erode.client()).headers["set-cookie"].lower()
    assert "max-age" not in cookie
    assert "expires" not in cookie


def test_a_page_that_looks_again_by_itself_is_no_click(erode: Hospital) -> None:
    erode.accept_all()
    client, now = erode.client("dr.anbu"), [datetime.now(UTC)]
    erode.people.sessions._clock = lambda: now[0]
    for _ in range(2):
        now[0] += timedelta(minutes=14)
        assert client.get("/referrals?by=itself").status_code == 200
    assert client.get("/referrals").status_code == 200
    for _ in range(2):
        now[0] += timedelta(minutes=14)
        assert client.get("/referrals?by=itself").status_code == 200
    now[0] += timedelta(minutes=14)
    assert client.get("/referrals?by=itself").headers["location"].startswith("/login?")


def test_logging_out_ends_the_session(erode: Hospital) -> None:
    erode.accept_all()
    client = erode.client("dr.anbu")
    token = client.cookies["gurney"]
    assert client.delete("/api/session").status_code == 204
    assert erode.client().get("/api/studies", headers={"Cookie": f"gurney={token}"}).status_code == 401


def test_basic_is_taken_over_loopback(erode: Hospital) -> None:
    erode.accept_all()
    client = erode.client()
    assert client.get("/api/studies", auth=("dr.anbu", PASSWORD)).status_code == 200
    assert client.get("/api/studies", auth=("dr.anbu", "wrong")).status_code == 401
    assert client.get("/api/studies", headers={"Authorization": "Basic !!!"}).status_code == 401
    assert client.get("/", auth=("dr.anbu", PASSWORD)).status_code == 303


def test_a_program_that_asks_in_parallel_is_let_in(erode: Hospital) -> None:
    erode.accept_all()
    client = erode.client()
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(lambda _: client.get("/api/studies", auth=("dr.anbu", PASSWORD)).status_code, range(8))
    assert list(answers) == [200] * 8


def test_every_attempt_is_in_the_audit_log_and_no_password_is(erode: Hospital) -> None:
    client = erode.client()
    accept(client, login="dr.anbu", code=erode.codes["dr.anbu"], password=PASSWORD)
    log_in(client)
    log_in(client, password="wrong")
    log_in(client, login="my-secret-typed-into-the-wrong-field")
    client.delete("/api/session")
    assert entries(erode) == [
        ("invitation", "dr.anbu", "done"),
        ("login", "dr.anbu", "done"),
        ("login", "dr.anbu", "refused"),
        ("login", "(unknown)", "refused"),
        ("logout", "dr.anbu", "done"),
    ]


def test_the_pages_do_the_same(erode: Hospital) -> None:
    client = erode.client()
    form = {"login": "dr.anbu", "code": erode.codes["dr.anbu"], "password": PASSWORD, "again": "not the same"}
    assert "differ" in client.post("/invitation", data=form).text
    assert client.post("/invitation", data=form | {"again": PASSWORD}).headers["location"] == "/login?note=password"
    wrong = client.post("/login", data={"login": "dr.anbu", "password": "wrong", "next": "/"})
    assert wrong.status_code == 401
    assert "wrong." in wrong.text
    wanted = client.get("/studies/1.2.3?x=1").headers["location"]
    assert wanted == "/login?next=/studies/1.2.3%3Fx%3D1"
    form = {"login": "dr.anbu", "password": PASSWORD, "next": "/referrals"}
    assert client.post("/login", data=form).headers["location"] == "/referrals"
    assert client.get("/login").headers["location"] == "/"
    page = client.get("/referrals").text
    token = re.search(r'name="token" value="(\w+)"', page)
    assert token is not None
    assert client.post("/logout", data={"token": "0" * 64}).status_code == 403
    assert client.post("/logout", data={"token": token[1]}).headers["location"] == "/login"
    assert client.get("/").status_code == 303


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", ""])
def test_a_login_leads_to_no_other_site(erode: Hospital, elsewhere: str) -> None:
    erode.accept_all()
    form = {"login": "dr.anbu", "password": PASSWORD, "next": elsewhere}
    assert erode.client().post("/login", data=form).headers["location"] == "/"
