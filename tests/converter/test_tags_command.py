"""`gurney tags`: a table, DICOM JSON, CSV; filtered, and with what identifies hidden."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from pydicom.data import get_testdata_file

from cli.tags import tags
from converter.errors import ConversionError, NotDicomError
from tests.converter.building import SHIPPED

if TYPE_CHECKING:
    from pathlib import Path

CT = str(get_testdata_file("CT_small.dcm"))
SR = str(get_testdata_file("test-SR.dcm"))


def run(*arguments: str) -> str:
    result = CliRunner().invoke(tags, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_table_with_sequences_and_private_tags() -> None:
    words = run(CT)
    assert "(0010,0010) PN PatientName" in words
    assert "CompressedSamples^CT1" in words
    assert "(0009,0010)" in words
    nested = run(SR, "--find", "Diameter")
    assert nested.startswith("  ")
    assert "CodeMeaning" in nested


def test_a_filter_by_keyword_or_text() -> None:
    assert len(run(CT, "--find", "windowcenter").splitlines()) == 0
    assert [line.split()[2] for line in run(CT, "--find", "rescale").splitlines()] == [
        "RescaleIntercept",
        "RescaleSlope",
    ]
    assert "(0008,0070)" in run(CT, "--find", "ge medical")


def test_csv_names_where_a_nested_element_lies() -> None:
    rows = list(csv.DictReader(io.StringIO(run(SR, "--csv", "--find", "Diameter"))))
    assert rows[0]["tag"].startswith("(0040,A730)[")
    assert {"tag", "vr", "keyword", "value"} == set(rows[0])


def test_dicom_json() -> None:
    model = json.loads(run(CT, "--json"))
    assert model["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "CompressedSamples^CT1"}]}
    assert model["00280010"] == {"vr": "US", "Value": [128]}


def test_what_identifies_is_hidden_in_every_form() -> None:
    for form in ([], ["--csv"], ["--json"]):
        words = run(CT, "--hide", *form)
        assert "CompressedSamples" not in words
        assert "1CT1" not in words
        assert "20040119" not in words
        assert "MONOCHROME2" in words


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.dcm")), ids=lambda path: path.name)
def test_every_shipped_file_is_listed_or_refused(path: Path) -> None:
    for form in ([], ["--json"]):
        result = CliRunner().invoke(tags, [str(path), *form])
        assert result.exit_code == 0 or isinstance(result.exception, ConversionError)


def test_no_dicom(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("nothing")
    result = CliRunner().invoke(tags, [str(tmp_path / "a")])
    assert isinstance(result.exception, NotDicomError)
