"""The same image again, and another one under its UID, through DCMTK's clients: what is answered, kept and told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pydicom
import pytest
from pydicom.dataset import Dataset
from sqlalchemy import select

from appliance.people_tables import AuditEntry
from tests.appliance.hospital import ct
from tests.appliance.receiving import Reception, receiving
from tests.appliance.scanner import statuses, storescu, written
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUCCESS = "Success"


@pytest.fixture
def reception(tmp_path: Path) -> Iterator[Reception]:
    with receiving(tmp_path / "archive") as opened:
        yield opened


@pytest.mark.parametrize("first", ["-xe", "-xi", "-xd"])
def test_the_same_in_another_encoding_is_the_same(reception: Reception, tmp_path: Path, first: str) -> None:
    """As a PACS forwards what the scanner has sent already: explicit, implicit or deflated, and from a CD."""
    (dataset,) = ct(count=1)
    dataset.RequestAttributesSequence = [Dataset()]
    dataset.RequestAttributesSequence[0].ScheduledProcedureStepID = "7"
    files = written(tmp_path / "ct", dataset)
    assert statuses(storescu(reception.address, *files, options=(first,))) == [SUCCESS]
    kept = reception.archive.path_of(dataset.SOPInstanceUID).read_bytes()
    for option in ("-xe", "-xi", "-xd"):
        assert statuses(storescu(reception.address, *files, options=(option,))) == [SUCCESS], option
    with reception.archive.arriving() as arriving:  # with the trailing padding that C-STORE leaves out
        arriving.write(files[0].read_bytes())
        assert reception.archive.file([arriving.finish()], issuer="erode", source="inbox:r.devi").same == 1
    assert reception.archive.path_of(dataset.SOPInstanceUID).read_bytes() == kept
    assert list(reception.archive.conflicts.iterdir()) == []


@pytest.mark.parametrize("option", ["-xi", "-xd"])
def test_another_data_set_in_another_encoding_is_set_aside(reception: Reception, tmp_path: Path, option: str) -> None:
    (dataset,) = ct(count=1)
    storescu(reception.address, *written(tmp_path / "first", dataset))
    dataset.PixelData = dataset.PixelData[:-1] + b"\x55"
    storescu(reception.address, *written(tmp_path / "second", dataset), options=(option,))
    (aside,) = reception.archive.conflicts.iterdir()
    assert pydicom.dcmread(aside).PixelData == dataset.PixelData


def test_another_data_set_under_a_kept_uid_is_set_aside(reception: Reception, tmp_path: Path) -> None:
    (dataset,) = ct(count=1)
    storescu(reception.address, *written(tmp_path / "first", dataset))
    first = reception.archive.path_of(dataset.SOPInstanceUID).read_bytes()
    dataset.PatientName = "Somebody^Else"
    said = storescu(reception.address, *written(tmp_path / "second", dataset))
    assert "Error: CannotUnderstand" in said
    assert "0xc111" in storescu(reception.address, *written(tmp_path / "second", dataset), options=("-d",))
    assert reception.archive.path_of(dataset.SOPInstanceUID).read_bytes() == first
    (aside,) = reception.archive.conflicts.iterdir()
    assert pydicom.dcmread(aside).PatientName == "Somebody^Else"
    until(lambda: len(told(reception, "conflict")) == 2)
    assert told(reception, "conflict")[0] == {
        "instances": 1,
        "status": "0xC111",
        "sop_instance_uids": [dataset.SOPInstanceUID],
        "reason": "another image is kept under this UID, from CT1",
        "peer": "127.0.0.1",
    }


def test_what_is_kept_as_another_branch_s_patient_s_is_told(reception: Reception, tmp_path: Path) -> None:
    """The same data set is acknowledged, and the audit says whose it stays; of another one, whose is kept."""
    (dataset,) = ct(count=1)
    del dataset[0xFFFCFFFC]  # Data Set Trailing Padding stays out of a C-STORE (PS3.10 7.2)
    (file,) = written(tmp_path / "first", dataset)
    with reception.archive.arriving() as arriving:
        arriving.write(file.read_bytes())
        reception.archive.file([arriving.finish()], issuer="salem", source="branch:salem")
    assert statuses(storescu(reception.address, file)) == [SUCCESS]
    until(lambda: len(told(reception, "import-elsewhere")) == 1)
    (elsewhere,) = told(reception, "import-elsewhere")
    assert elsewhere["sop_instance_uids"] == [dataset.SOPInstanceUID]
    assert elsewhere["reason"] == "kept before, as images of another patient"
    dataset.PatientID = "ER-9"
    storescu(reception.address, *written(tmp_path / "second", dataset))
    until(lambda: len(told(reception, "conflict")) == 1)
    assert told(reception, "conflict")[0]["reason"] == "another image is kept under this UID, from branch:salem"


def told(reception: Reception, action: str) -> list[dict[str, object]]:
    """What the audit says of each such action."""
    with reception.archive.index.session() as session:
        return [json.loads(each) for each in session.scalars(select(AuditEntry.detail).filter_by(action=action))]
