"""One Patient ID given to two people: neither's images are taken for the other's, and people are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from appliance.keeping.namesakes import is_nameless, may_be_one
from appliance.pictures.renditions import next_pending
from tests.appliance.hospital import ct, hospitals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.appliance.hospital import Hospital

ONE = [
    ("Murugan^Selvi", "MURUGAN^SELVI"),
    ("Murugan^Selvi", "Murugan^Selvi^Devi"),
    ("Murugan^Selvi", "Selvi^Murugan"),
    ("Murugan^Selvi", ""),
    ("Müller^Änne", "Muller^Anne"),
    ("Yamada^Tarou=山田^太郎", "Yamada^Tarou"),
    ("ராஜா^குமார்", "குமார்^ராஜா"),
    ("राम^कुमार", "राम"),
    ("\u095eातिमा", "\u092b\u093cातिमा"),
    ("മോഹന്\u200d^കെ", "മോഹന്^കെ"),
    ("محمد^أحمد", "مُحَمَّد^احمد"),
    ("ශ් රී^නිමල්", "ශ්\u200dරී^නිමල්"),
    ("علی\u200cرضا", "علی رضا"),
]

#: In these scripts a vowel is a mark behind its consonant.
OTHERS = [
    ("Murugan^Selvi", "Murugan^Kannan"),
    ("ராஜா^குமார்", "ராஜி^குமாரி"),
    ("மாலா", "மாலி"),
    ("राम", "रीमा"),
    ("रवि", "रेवा"),
    ("മാല", "മീല"),
    ("మాల", "మీల"),
    ("ガ^ハナ", "カ^ハナ"),
]


@pytest.mark.parametrize(("name", "other"), ONE)
def test_spellings_of_one_name_are_one_person(name: str, other: str) -> None:
    assert may_be_one(name, "19700101", other, "")
    assert may_be_one(other, "", name, "19700101")
    assert not may_be_one(name, "19700101", other, "19700102")


@pytest.mark.parametrize(("name", "other"), OTHERS)
def test_another_name_is_another_person(name: str, other: str) -> None:
    assert not may_be_one(name, "", other, "")
    assert not may_be_one(other, "19700101", name, "")


def test_marks_alone_name_nobody() -> None:
    assert is_nameless("\u0bbe^\u200d")
    assert not is_nameless("मा")


@pytest.fixture(scope="module")
def erode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    with hospitals(tmp_path_factory.mktemp("one"), "erode", "salem") as (hospital, _salem):
        hospital.accept_all().serve()
        first, other = ct("ER-1", "Murugan^Selvi", 1), ct("ER-1", "Raja^Kannan", 1)
        first[0].PatientBirthDate, other[0].PatientBirthDate = "19700101", "19880808"
        hospital.keep(first)
        hospital.keep(ct("ER-1", "MURUGAN^SELVI^D", 1))
        hospital.keep(other)
        for name in ("മാല^മോഹന്\u200d", "മീല^മോഹന്\u200d"):
            instances = ct("ER-2", name, 1)
            instances[0].SpecificCharacterSet = "ISO_IR 192"
            hospital.keep(instances)
        yield hospital


def test_each_has_a_folder_of_the_own_name(erode: Hospital) -> None:
    folders = {task.folder.relative_to(erode.archive.shared).parts[0] for task in next_pending(erode.archive, 9, ())}
    mine = sorted(folder for folder in folders if "ER-1" in folder)
    assert mine == ["Murugan Selvi (ER-1, erode)", "Raja Kannan (ER-1, erode)"]
    assert len({folder for folder in folders if "ER-2" in folder}) == 2


def test_vowel_signs_tell_people_apart_and_joiners_stay_in_a_name(erode: Hospital) -> None:
    studies = erode.client("dr.anbu").get("/api/studies", params={"text": "ER-2"}).json()
    assert {study["patient_name"]: study["first_named"] for study in studies} == {
        "മാല^മോഹന്\u200d": "",
        "മീല^മോഹന്\u200d": "മാല മോഹന്\u200d",
    }


def test_the_pages_say_it(erode: Hospital) -> None:
    client = erode.client("dr.anbu")
    found = client.get("/?q=kannan").text
    assert "Raja, Kannan" in found
    assert "ID also of another person" in found
    (study,) = client.get("/api/studies", params={"text": "kannan"}).json()
    assert study["first_named"] == "Murugan Selvi, born 19700101"
    page = client.get(f"/studies/{study['study_instance_uid']}").text
    assert "Murugan, Selvi, born 1970-01-01. Make sure whose it is" in page
    under_the_id = client.get("/api/studies", params={"text": "ER-1"}).json()
    assert [one["patient_name"] for one in under_the_id if not one["first_named"]] == ["Murugan^Selvi"] * 2


def test_who_refers_is_warned(erode: Hospital) -> None:
    page = erode.client("dr.anbu").get("/refer", params={"patient_id": "ER-1", "issuer": "erode"}).text
    assert "also name Raja, Kannan" in page
