"""The JSON API: what it answers, and how it says what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.appliance.hospital import PASSWORD, Hospital, ct, hospitals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Iterator[tuple[Hospital, Hospital]]:
    folder: Path = tmp_path_factory.mktemp("two")
    with hospitals(folder, "erode", "salem") as (erode, salem):
        erode.accept_all().serve()
        salem.accept_all().serve()
        erode.keep(ct("ER-1", "Murugan^Selvi", 3))
        erode.keep(ct("ER-2", "Raja^Kannan", 2))
        erode.render()
        yield erode, salem


def test_studies_and_their_pictures(two) -> None:
    client = two[0].client("r.devi")
    answer = client.get("/api/studies", params={"limit": 1})
    assert answer.headers["x-total-count"] == "2"
    assert len(answer.json()) == 1
    study = client.get("/api/studies", params={"text": "selvi"}).json()[0]
    assert {
        name: study[name] for name in ("patient_id", "patient_name", "issuer", "series", "instances", "pictures")
    } == {
        "patient_id": "ER-1",
        "patient_name": "Murugan^Selvi",
        "issuer": "erode",
        "series": 1,
        "instances": 3,
        "pictures": 3,
    }
    whole = client.get(f"/api/studies/{study['study_instance_uid']}").json()
    pictures = [p for series in whole["series"] for instance in series["instances"] for p in instance["pictures"]]
    assert len(pictures) == 3
    program = two[0].client()
    program.auth = ("r.devi", PASSWORD)
    for picture in pictures:
        content = (two[0].archive.shared / picture["path"]).read_bytes()
        assert [each.get(picture["url"]).content for each in (client, program)] == [content] * 2
    assert program.get("/", follow_redirects=False).status_code == 303, "pages are for people, who log in"


def test_a_referral_from_request_to_arrival(two) -> None:
    erode, salem = two
    client = erode.client("dr.anbu")
    asked = client.post("/api/referrals", json={"patient_id": "ER-1", "to": "salem"})
    assert asked.status_code == 202
    assert asked.json()["instances"] == 3
    place = f"/api/referrals/{asked.json()['referral_id']}"
    before = client.get(place).json()
    assert (before["state"], before["from"], before["to"]) == ("prepared", "erode", "salem")
    assert (before["arrived"], before["total"], before["direction"]) == (0, 3, "sent")
    for _ in range(2):
        erode.step()
        salem.step()
    for side in (erode, salem):
        after = side.client("r.devi").get(place).json()
        assert (after["state"], after["arrived"], after["total"]) == ("arrived", 3, 3)
    assert [row["direction"] for row in salem.client("r.devi").get("/api/referrals").json()] == ["received"]
    again = client.post("/api/referrals", json={"patient_id": "ER-1", "to": "salem", "issuer": "erode"})
    assert (again.status_code, again.json()) == (200, asked.json() | {"instances": 0})
    assert client.delete(place).status_code == 409


def test_a_referral_is_withdrawn(two) -> None:
    client = two[0].client("dr.anbu")
    asked = client.post("/api/referrals", json={"patient_id": "ER-2", "to": "salem"}).json()
    assert client.delete(f"/api/referrals/{asked['referral_id']}").status_code == 204
    assert client.get(f"/api/referrals/{asked['referral_id']}").json()["state"] == "withdrawn"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"patient_id": "nobody", "to": "salem"}, 404, "no patient nobody"),
        ({"patient_id": "ER-1", "to": "salem", "issuer": "karur"}, 404, "of karur"),
        ({"patient_id": "ER-1", "to": "namakkal"}, 409, "namakkal is not in the directory"),
        ({"patient_id": "ER-1", "to": "erode"}, 409, "may not refer to erode"),
        ({"patient_id": "ER-1"}, 422, "to"),
        ({"patient_id": "", "to": "salem"}, 422, "patient_id"),
        ({"patient_id": "ER-1", "to": "salem", "more": 1}, 422, "more"),
        ([], 422, ""),
    ],
)
def test_a_wrong_referral_is_explained(two, body: object, status: int, words: str) -> None:
    answer = two[0].client("dr.anbu").post("/api/referrals", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail"}
    assert words in problem["detail"]


def test_a_fault_never_repeats_what_was_sent(two) -> None:
    answer = two[0].client().post("/api/session", json={"login": "dr.anbu", "password": ["s3cret-password"]})
    assert answer.status_code == 422
    assert "s3cret" not in answer.text


@pytest.mark.parametrize(
    ("login", "method", "path", "status"),
    [
        (None, "GET", "/api/studies", 401),
        (None, "POST", "/api/referrals", 401),
        ("r.devi", "POST", "/api/referrals", 403),
        ("r.devi", "GET", "/api/audit", 403),
        ("dr.anbu", "GET", "/api/audit", 403),
        ("k.mani", "GET", "/api/audit", 200),
    ],
)
def test_each_role_has_its_rights(two, login: str | None, method: str, path: str, status: int) -> None:
    client = two[0].client(login)
    body = {"patient_id": "ER-1", "to": "salem"} if method == "POST" else None
    answer = client.request(method, path, json=body)
    assert answer.status_code == status
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_missing_right_is_in_the_audit_log(two) -> None:
    erode, _ = two
    erode.client("r.devi").post("/api/referrals", json={"patient_id": "ER-1", "to": "salem"})
    newest = erode.client("k.mani").get("/api/audit", params={"limit": 5}).json()
    assert ("refer", "r.devi", "refused") in [(entry["action"], entry["who"], entry["outcome"]) for entry in newest]
    older = erode.client("k.mani").get("/api/audit", params={"before": newest[-1]["number"], "limit": 1}).json()
    assert older[0]["number"] == newest[-1]["number"] - 1


def test_the_api_describes_itself(two) -> None:
    described = two[0].client().get("/api/openapi.json").json()
    assert {"/api/session", "/api/studies", "/api/studies/{uid}", "/api/referrals", "/api/audit"} <= set(
        described["paths"]
    )
    assert not any(path.startswith(("/login", "/studies")) for path in described["paths"])


@pytest.mark.parametrize("path", ["/api/studies/1.2.3", "/api/referrals/none"])
def test_what_is_not_there(two, path: str) -> None:
    assert two[0].client("dr.anbu").get(path).json()["status"] == 404
