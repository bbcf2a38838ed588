"""Of a Patient ID that two people have, a person chooses whose studies are referred."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.appliance.hospital import Hospital, ct, hospitals
from tests.appliance.refer_command import at, gurney
from tests.appliance.referring import exchanged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEVERAL = "name several people (Murugan Selvi, Raja Kannan): choose the studies to refer."


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Hospital, Hospital]]:
    with hospitals(tmp_path, "erode", "salem") as (erode, salem):
        erode.accept_all().serve()
        erode.keep(ct("ER-1", "Murugan^Selvi", 1))
        erode.keep(ct("ER-1", "Raja^Kannan", 2))
        erode.keep(ct("ER-2", "Devi^Lakshmi", 1))
        erode.keep(ct("ER-2", "Devi^Lakshmi", 1))
        yield erode, salem


def studies_of(hospital: Hospital, patient_id: str, name: str = "") -> list[str]:
    found = hospital.client("dr.anbu").get("/api/studies", params={"text": patient_id}).json()
    return [study["study_instance_uid"] for study in found if name in study["patient_name"]]


def test_another_persons_images_do_not_go_along(two) -> None:
    erode, salem = two
    client, body = erode.client("dr.anbu"), {"patient_id": "ER-1", "to": "salem"}
    refused = client.post("/api/referrals", json=body)
    assert (refused.status_code, refused.json()["detail"]) == (409, f"Studies with Patient ID ER-1 {SEVERAL}")
    assert client.get("/api/referrals").json() == []
    (selvis,) = studies_of(erode, "ER-1", "Selvi")
    asked = client.post("/api/referrals", json={**body, "studies": [selvis]})
    assert (asked.status_code, asked.json()["instances"]) == (202, 1)
    exchanged(erode, salem)
    assert len(salem.kept()) == 1
    again = client.post("/api/referrals", json={**body, "studies": [selvis]})
    assert (again.status_code, again.json()) == (200, {"referral_id": asked.json()["referral_id"], "instances": 0})
    both = client.post("/api/referrals", json={**body, "studies": studies_of(erode, "ER-1")})
    assert (both.status_code, both.json()["instances"]) == (202, 2)


@pytest.mark.parametrize(("studies", "status", "words"), [(["1.2.3"], 409, "There is no study 1.2.3"), ([], 422, "")])
def test_what_cannot_be_chosen_is_refused(two, studies: list[str], status: int, words: str) -> None:
    body = {"patient_id": "ER-2", "to": "salem", "studies": studies}
    answer = two[0].client("dr.anbu").post("/api/referrals", json=body)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_one_persons_studies_all_go_or_those_that_are_chosen(two) -> None:
    erode, _ = two
    client, body = erode.client("dr.anbu"), {"patient_id": "ER-2", "to": "salem"}
    one, _other = studies_of(erode, "ER-2")
    first = client.post("/api/referrals", json={**body, "studies": [one]}).json()
    assert first["instances"] == 1
    last = client.post("/api/referrals", json=body).json()
    assert last["instances"] == 1
    again = [client.post("/api/referrals", json=asked).json() for asked in ({**body, "studies": [one]}, body)]
    assert [each["referral_id"] for each in again] == [first["referral_id"], last["referral_id"]]


def test_the_command_names_studies(two) -> None:
    erode, _ = two
    (selvis,) = studies_of(erode, "ER-1", "Selvi")
    refused = gurney(*at(erode), "--no-wait")
    assert (refused.returncode, SEVERAL in refused.stderr) == (6, True)
    done = gurney(*at(erode), "--no-wait", "--study", selvis)
    assert (done.returncode, done.stdout) == (0, "0 of 1 images arrived at salem: prepared\n")


def boxes(form: str) -> dict[str, bool]:
    """The studies that the page offers, and whether each is chosen already."""
    found = re.findall(r'name="studies" value="([^"]+)"( checked)?>', form)
    return {uid: bool(checked) for uid, checked in found}


def test_the_page_has_studies_to_choose(two) -> None:
    erode, salem = two
    client = erode.client("dr.anbu")
    form = client.get("/refer", params={"patient_id": "ER-1", "issuer": "erode"}).text
    assert boxes(form) == dict.fromkeys(studies_of(erode, "ER-1"), False)
    assert "<strong>Raja, Kannan</strong>" in form
    token = re.search(r'name="token" value="([^"]+)"', form)
    assert token is not None
    sent = {"token": token[1], "patient_id": "ER-1", "issuer": "erode", "to": "salem", "choosing": "yes"}
    nothing = client.post("/refer", data=sent)
    assert nothing.status_code == 409
    assert "Choose the studies to refer" in nothing.text
    assert client.post("/refer", data={**sent, "studies": studies_of(erode, "ER-1", "Kannan")}).status_code == 303
    exchanged(erode, salem)
    assert len(salem.kept()) == 2
    of_one = client.get("/refer", params={"patient_id": "ER-2", "issuer": "erode"}).text
    assert boxes(of_one) == dict.fromkeys(studies_of(erode, "ER-2"), True)
