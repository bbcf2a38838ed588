"""One Study Instance UID under several patients: each study is reached, and none is shown for another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from appliance.people_tables import AuditEntry
from tests.appliance.hospital import ct, hospitals
from tests.appliance.referring import exchanged, refer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from pydicom.dataset import FileDataset

    from tests.appliance.hospital import Hospital


def of_study(uid: str, datasets: list[FileDataset]) -> list[FileDataset]:
    for dataset in datasets:
        dataset.StudyInstanceUID = uid
    return datasets


OWN = ct("SA-1", "Own^Patient", 2)
UID = OWN[0].StudyInstanceUID
PUT_RIGHT = of_study(UID, ct("SA-2", "Own^Patient", 1))
REFERRED = of_study(UID, ct("ER-666", "Other^Patient", 1))
ALL = {"SA-1": OWN, "SA-2": PUT_RIGHT, "ER-666": REFERRED}


@pytest.fixture(scope="module")
def salem(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """Its own study; one whose Patient ID was put right between two series; and one that another branch referred."""
    with hospitals(tmp_path_factory.mktemp("two"), "erode", "salem") as (erode, hospital):
        hospital.accept_all().serve()
        hospital.keep(OWN)
        hospital.keep(PUT_RIGHT)
        erode.keep(REFERRED)
        refer(erode, hospital, "ER-666")
        exchanged(erode, hospital, rounds=3)
        hospital.render()
        yield hospital


def link_of(client: httpx.Client, patient_id: str) -> str:
    (link,) = re.findall(r'class="name" href="([^"]+)"', client.get("/", params={"q": patient_id}).text)
    return str(link)


def pictures_in(text: str) -> set[str]:
    return set(re.findall(r"/(?:thumbnails|pictures)/([0-9.]+)/", text))


def uids(patient_id: str) -> set[str]:
    return {dataset.SOPInstanceUID for dataset in ALL[patient_id]}


@pytest.mark.parametrize("patient_id", ALL)
def test_each_link_opens_its_own_study_and_pictures(salem: Hospital, patient_id: str) -> None:
    client = salem.client("dr.anbu")
    link = link_of(client, patient_id)
    study = client.get(link)
    assert f"Patient ID {patient_id} " in study.text
    assert pictures_in(study.text) == uids(patient_id)
    series = f"{link}/series/{ALL[patient_id][0].SeriesInstanceUID}"
    assert f'href="{series}/1"' in study.text
    assert pictures_in(client.get(series).text) == uids(patient_id)
    viewer = client.get(f"{series}/1").text
    assert pictures_in(viewer) == {ALL[patient_id][0].SOPInstanceUID}
    assert f'href="{link}"' in viewer


def test_the_uid_alone_shows_the_choice(salem: Hospital) -> None:
    client = salem.client("dr.anbu")
    choice = client.get(f"/studies/{UID}")
    assert choice.status_code == 300
    links = re.findall(r'class="name" href="([^"]+)"', choice.text)
    assert links == [link_of(client, patient_id) for patient_id in ALL]
    assert "of Erode" in choice.text
    assert client.get(f"/studies/{UID}/series/{OWN[0].SeriesInstanceUID}").status_code == 409


def test_programs_are_told_the_addresses(salem: Hospital) -> None:
    client = salem.client("dr.anbu")
    told = client.get(f"/api/studies/{UID}")
    assert told.status_code == 409
    assert told.headers["content-type"] == "application/problem+json"
    for study in client.get("/api/studies").json():
        assert f"{study['address']} (patient {study['patient_id']} of {study['issuer']})" in told.json()["detail"]
        whole = client.get(f"/api/studies/{study['address']}").json()
        assert (whole["address"], whole["patient_id"]) == (study["address"], study["patient_id"])
        kept = {instance["sop_instance_uid"] for series in whole["series"] for instance in series["instances"]}
        assert kept == uids(study["patient_id"])


def test_a_uid_of_one_patient_is_enough_and_a_wrong_address_opens_nothing(salem: Hospital) -> None:
    client = salem.client("dr.anbu")
    alone = ct("SA-9", "Alone^Patient", 1)
    salem.keep(alone)
    uid = alone[0].StudyInstanceUID
    assert client.get(f"/api/studies/{uid}").json()["patient_id"] == "SA-9"
    key, _, _ = link_of(client, "SA-9").removeprefix("/studies/").partition("-")
    for wrong in (f"{key}-{UID}", f"{'9' * 18}-{uid}", f"{'9' * 19}-{uid}", f"-{uid}", f"{key}-", "0-"):
        assert client.get(f"/studies/{wrong}").status_code == 404
        assert client.get(f"/api/studies/{wrong}").status_code == 404


def test_a_look_at_each_is_in_the_audit_log(salem: Hospital) -> None:
    client = salem.client("r.devi")
    for patient_id in ALL:
        client.get(link_of(client, patient_id))
    with salem.archive.index.session() as session:
        views = select(AuditEntry).where(AuditEntry.action == "view", AuditEntry.who == "r.devi")
        found = session.scalars(views.order_by(AuditEntry.number)).all()
    assert [entry.subject for entry in found] == [UID] * 3
    assert [f'"{patient_id}"' in entry.detail for patient_id, entry in zip(ALL, found, strict=True)] == [True] * 3
