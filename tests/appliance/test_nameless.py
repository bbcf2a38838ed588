"""A patient who came first without a name: what comes with one is shown, found and laid out under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from appliance.index.queries import studies
from appliance.pictures.renditions import next_pending
from appliance.referral.contents import find_patient
from tests.appliance.hospital import ct, file_all

if TYPE_CHECKING:
    from appliance.index.queries import StudyRow
    from appliance.keeping.archive import Archive


def arrive(archive: Archive, name: str, birth_date: str = "") -> str:
    """A study arrives; its UID."""
    datasets = ct("77", name, 1)
    datasets[0].PatientBirthDate = birth_date
    file_all(archive, datasets, "salem")
    return str(datasets[0].StudyInstanceUID)


def rows(archive: Archive) -> dict[str, StudyRow]:
    with archive.index.session() as session:
        return {row.study_instance_uid: row for row in studies(session, "77")}


def folders(archive: Archive) -> list[str]:
    return [task.folder.relative_to(archive.shared).parts[0] for task in next_pending(archive, 9, ())]


@pytest.mark.parametrize("nobody", ["", "^^", "???"])
def test_a_later_name_is_the_patient_s(archive: Archive, nobody: str) -> None:
    first, later = arrive(archive, nobody), arrive(archive, "Kumar^Ravi", "19700101")
    found = rows(archive)
    assert (found[later].patient_name, found[later].first_named) == ("Kumar^Ravi", "")
    assert (found[first].patient_name, found[first].first_named) == ("Kumar^Ravi", "")
    assert folders(archive) == ["Kumar Ravi (77, salem)"] * 2
    with archive.index.session() as session:
        kept = find_patient(session, "77", "salem")
    assert (kept.name, kept.birth_date) == ("Kumar^Ravi", "19700101")


def test_the_first_name_stays_and_the_next_person_is_told_apart(archive: Archive) -> None:
    arrive(archive, "")
    named, other = arrive(archive, "Kumar^Ravi"), arrive(archive, "Raja^Kannan")
    found = rows(archive)
    assert (found[named].patient_name, found[named].first_named) == ("Kumar^Ravi", "")
    assert (found[other].patient_name, found[other].first_named) == ("Raja^Kannan", "Kumar Ravi")


def test_who_was_born_on_another_day_gives_no_name(archive: Archive) -> None:
    first, other = arrive(archive, "", "19700101"), arrive(archive, "Kumar^Ravi", "19880808")
    found = rows(archive)
    assert found[first].patient_name == ""
    assert found[other].patient_name == "Kumar^Ravi"
    assert found[other].first_named == "a patient without a name, born 19700101"


def test_an_archive_that_has_such_a_patient_already_shows_the_study_s_own_name(archive: Archive) -> None:
    uid = arrive(archive, "Kumar^Ravi")
    with archive.index.writing() as session:
        session.connection().exec_driver_sql("UPDATE patient SET name = ''")
    assert rows(archive)[uid].patient_name == "Kumar^Ravi"
    assert folders(archive) == ["Kumar Ravi (77, salem)"]
