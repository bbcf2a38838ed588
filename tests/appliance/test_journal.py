"""What the service logs names no patient, even where the index itself fails with a new patient in hand."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from exchange.settings import Modality
from tests.appliance.community import Community
from tests.appliance.hospital import ct
from tests.appliance.process import ApplianceProcess
from tests.appliance.scanner import statuses, storescu, written

if TYPE_CHECKING:
    from pathlib import Path

NAME, NUMBER, BORN, VISIT = "Kandasamy^Velmurugan", "KMCH/2291-X", "19480512", "ACC-77120"
REFUSE = "CREATE TRIGGER broken BEFORE INSERT ON {} BEGIN SELECT RAISE(ABORT, 'database disk image is malformed'); END"


def test_index_that_fails_at_a_patient_does_not_name_the_patient(tmp_path: Path) -> None:
    erode = ApplianceProcess(tmp_path / "erode", Community(tmp_path / "exchange")).start()
    erode.enrol(Modality("CT1", "127.0.0.1"))
    (dataset,) = ct(NUMBER, NAME, count=1)
    dataset.PatientBirthDate, dataset.AccessionNumber = BORN, VISIT
    files = written(tmp_path / "sent", dataset)
    for table in ("study", "patient"):
        with closing(sqlite3.connect(erode.archive / "index.sqlite")) as connection:
            connection.execute(REFUSE.format(table).replace("broken", f"broken_{table}"))
        assert "Success" not in statuses(storescu(erode.address, *files))
    erode.stop()
    text = erode.log.read_text()
    assert text.count("database disk image is malformed") >= 2
    assert [word for word in ("Kandasamy", "Velmurugan", "2291", BORN, "77120") if word in text] == []
