"""Patients are found as people type their names, whatever capitals and accents a modality sent."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine

from appliance.index.engine import open_index
from appliance.index.migrations.upgrade import run_steps
from appliance.index.queries import count_studies, studies
from appliance.index.search_name import search_name
from tests.appliance.hospital import ct, hospitals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.appliance.hospital import Hospital

MULLER, RAO, RAJA, MOHAN = "MÜLLER^HANS", "Rao^Anita^K", "Raja^K=ராஜா^குமார்", "Mohan^K=മോഹൻ^കെ"
FOUND = [
    ("müller", MULLER),
    ("Müller", MULLER),
    ("muller", MULLER),
    ("MU\u0308LLER, hans", MULLER),
    ("Rao, Anita", RAO),
    ("Anita Rao", RAO),
    ("  anita\trao ", RAO),
    ("RAO^ANITA", RAO),
    ("rao er-2", RAO),
    ("nita", RAO),
    ("ராஜா", RAJA),
    ("குமார் raja", RAJA),
    ("മോഹ\u200dൻ", MOHAN),
]
NOT_FOUND = ["ராஜி", "மாலா", "rao hans", "^", ",", "rao_", "R-2", "rao %"]


@pytest.fixture(scope="module")
def erode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    with hospitals(tmp_path_factory.mktemp("one"), "erode") as (hospital,):
        hospital.accept_all().serve()
        for number, name in enumerate((MULLER, RAO, RAJA, MOHAN), start=1):
            (image,) = ct(f"ER-{number}", "", 1)
            image.SpecificCharacterSet, image.PatientName = "ISO_IR 100" if name == MULLER else "ISO_IR 192", name
            hospital.keep([image])
        yield hospital


@pytest.mark.parametrize(("text", "name"), FOUND)
def test_a_name_is_found_as_people_type_it(erode: Hospital, text: str, name: str) -> None:
    client = erode.client("dr.anbu")
    assert "1 study for" in client.get("/", params={"q": text}).text
    assert [one["patient_name"] for one in client.get("/api/studies", params={"text": text}).json()] == [name]


@pytest.mark.parametrize("text", NOT_FOUND)
def test_what_is_another_name_is_not_found(erode: Hospital, text: str) -> None:
    assert erode.client("dr.anbu").get("/api/studies", params={"text": text}).json() == []


def test_as_many_words_as_an_address_takes_are_asked_for(erode: Hospital) -> None:
    for text in (" ".join(chr(ord("a") + n % 26) + chr(ord("a") + n // 26) for n in range(66)), "\ufdfa" * 200):
        answer = erode.client("dr.anbu").get("/api/studies", params={"text": text})
        assert (answer.status_code, answer.json()) == (200, [])


def test_who_is_named_late_is_found_by_the_name(erode: Hospital) -> None:
    client = erode.client("dr.anbu")
    for name in ("^^", "Spät^Name"):
        (image,) = ct("ER-9", "", 1)
        image.SpecificCharacterSet, image.PatientName = "ISO_IR 192", name
        erode.keep([image])
    assert len(client.get("/api/studies", params={"text": "name spat"}).json()) == 2


def test_an_older_index_is_searched_too(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    run_steps(engine, "0009")
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO patient VALUES (1, 'erode', 'ER-1', ?, '', '')", (MULLER,))
        connection.execute("INSERT INTO patient VALUES (2, 'erode', 'ER-2', '', '', '')")
        for key, patient, name in ((1, 1, "Mueller^Hänsel"), (2, 2, RAO), (3, 2, "")):
            values = (key, patient, f"1.2.{key}", "", "", "", "", name, "", 0)
            connection.execute(f"INSERT INTO study VALUES ({', '.join('?' * len(values))})", values)
            connection.execute("INSERT INTO series VALUES (?, ?, '1.2', 1, '', 'CT')", (key, key))
            uid = f"1.3.{key}"
            connection.execute(
                "INSERT INTO instance VALUES (?, ?, ?, '', '', 1, 1, 1, '', '', '2026-11-20 08:00:00', 'done', '')",
                (key, key, uid),
            )
        connection.commit()
    index = open_index(path)
    with index.session() as session:
        for text, found in (("müller", 1), ("hansel", 1), ("anita rao", 1), ("ER-2", 2), ("", 3)):
            assert count_studies(session, text) == len(studies(session, text)) == found, text
    index.close()
    with closing(sqlite3.connect(path)) as connection:
        kept = {name for (name,) in connection.execute("SELECT search_name FROM patient")}
    assert kept == {search_name(MULLER), ""} == {"muller hans", ""}
