"""`gurney tags`: a table, DICOM JSON, CSV; filtered, and with what identifies hidden."""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from pydicom.data import get_testdata_file

import converter
from cli.tags import tags
from converter.dicom import part10
from converter.errors import ConversionError, NotDicomError, TooLarge
from tests.converter.building import SHIPPED, file, image, item, packed
from tests.converter.running import write

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


@pytest.mark.parametrize("name", ["മോഹന്\u200d^കെ", "श्री^रक्\u200dषा", "علی\u200cرضا"])
def test_a_name_keeps_the_joiners_that_belong_to_it(name: str, tmp_path: Path) -> None:
    named = image(packed([1, 2]), 1, 2, SpecificCharacterSet="ISO_IR 192", PatientName=f"{name}\u202e")
    source = write(tmp_path / "in.dcm", file(named))
    assert run(str(source), "--find", "PatientName").split() == ["(0010,0010)", "PN", "PatientName", name]


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


# What PS3.15 table E.1-1 lists and a list of the usual suspects forgets: by VR, group and place.
TELLING = {
    "PatientName": "TELLS^A", "PatientAge": "099Y", "PatientComments": "TELLS", "StudyTime": "101112",
    "StationName": "TELLS",
    "AdmittingDiagnosesDescription": "TELLS", "ContainerIdentifier": "TELLS", "CommentsOnRadiationDose": "TELLS",
    "DestinationAE": "TELLS", "FillerOrderNumberImagingServiceRequest": "TELLS", "InterpretationText": "TELLS",
    "LabelText": "TELLS", "ModifyingDeviceID": "TELLS", "OrderCallbackPhoneNumber": "TELLS", "PersonAddress": "TELLS",
    "ReasonForTheImagingServiceRequest": "TELLS", "RequestedProcedureLocation": "TELLS", "ResultsComments": "TELLS",
    "ScheduledStationAETitle": "TELLS", "SpecimenAccessionNumber": "TELLS", "TopicAuthor": "TELLS",
    "TrackingUID": "1.2.77777", "SynchronizationFrameOfReferenceUID": "1.2.77777", "RetrieveURL": "http://TELLS",
    "EncapsulatedDocument": b"TELLS!", "GPSLatitude": ["77777", "1", "1"], "CertificateOfSigner": b"TELLS!",
}  # fmt: skip


def telling(tmp_path: Path) -> str:
    """A file that tells who someone is at every place, also two sequences deep and in private elements."""
    innermost = item(PersonTelephoneNumbers="TELLS", RequestingAE="TELLS", CodeMeaning="TELLS", ImageRotation=90)
    innermost.add_new(0x00091010, "LO", "TELLS")
    dataset = image(b"", 0, 0, **TELLING, ReferencedStudySequence=[
        item(ReferencedSOPInstanceUID="1.2.77777", PerformedStationNameCodeSequence=[innermost])
    ])  # fmt: skip
    dataset.add_new(0x00111001, "LT", "TELLS")
    del dataset.PixelData
    path = tmp_path / "telling.dcm"
    path.write_bytes(file(dataset))
    return str(path)


@pytest.mark.parametrize("form", [[], ["--csv"], ["--json"]], ids=["table", "csv", "json"])
def test_whatever_tells_who_it_is_is_hidden(tmp_path: Path, form: list[str]) -> None:
    path = telling(tmp_path)
    plain, hidden = run(path, *form), run(path, "--hide", *form)
    assert plain.count("TELLS") >= 25
    for secret in ("TELL", "77777", "099Y", "101112", base64.b64encode(b"TELLS!").decode()):
        assert secret not in hidden
    assert "TELLS" not in run(path, "--hide", "--find", "TELLS", *form)
    assert "90" in hidden
    assert "MONOCHROME2" in hidden
    assert "1.2.840.10008.5.1.4.1.1.2" in hidden


def test_json_keeps_what_is_looked_for_whole(tmp_path: Path) -> None:
    model = json.loads(run(telling(tmp_path), "--json", "--find", "imagerotation"))
    assert list(model) == ["00081110"]
    assert json.loads(run(CT, "--json", "--find", "rescale")).keys() == {"00281052", "00281053"}


def test_csv_holds_no_formula_that_a_spreadsheet_would_run(tmp_path: Path) -> None:
    dataset = image(packed([0]), 1, 1, StudyDescription="=cmd|' /C calc'!A0", SeriesDescription="-2+3",
                    RescaleIntercept="-1024", ImagePositionPatient=["-1.5", "+2", "-3e2"])  # fmt: skip
    (tmp_path / "a.dcm").write_bytes(file(dataset))
    rows = {row["keyword"]: row["value"] for row in csv.DictReader(io.StringIO(run(str(tmp_path / "a.dcm"), "--csv")))}
    assert rows["StudyDescription"] == "'=cmd|' /C calc'!A0"
    assert rows["SeriesDescription"] == "'-2+3"
    assert rows["RescaleIntercept"] == "-1024"
    assert rows["ImagePositionPatient"].startswith("-1.5\\")


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.dcm")), ids=lambda path: path.name)
def test_every_shipped_file_is_listed_or_refused(path: Path) -> None:
    for form in ([], ["--json"]):
        result = CliRunner().invoke(tags, [str(path), *form])
        assert result.exit_code == 0 or isinstance(result.exception, ConversionError)


def test_no_dicom(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("nothing")
    result = CliRunner().invoke(tags, [str(tmp_path / "a")])
    assert isinstance(result.exception, NotDicomError)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
@pytest.mark.parametrize("start", ["without preamble", "without meta information"])
def test_what_is_converted_without_a_preamble_is_listed(start: str, syntax: str, tmp_path: Path) -> None:
    content = file(image(packed([1, 2, 3, 4]), 2, 2, WindowCenter="2", WindowWidth="4"), syntax)
    begin, _ = part10._meta(content)
    path = write(tmp_path / "a.dcm", content[132:] if start == "without preamble" else content[begin:])
    assert converter.open(path).frame_count == 1
    words = run(str(path), "--find", "PatientName")
    assert "Test^Case" in words
    assert json.loads(run(str(path), "--json"))["00280010"] == {"vr": "US", "Value": [2]}


DEFLATED = "1.2.840.10008.1.2.1.99"


def test_a_deflated_file_is_listed_as_any_other(tmp_path: Path) -> None:
    dataset = image(packed([1, 2, 3, 4]), 2, 2)
    plain, packed_one = (write(tmp_path / name, file(dataset, syntax)) for name, syntax in
                         (("plain", "1.2.840.10008.1.2.1"), ("deflated", DEFLATED)))  # fmt: skip
    assert json.loads(run(str(packed_one), "--json")) == json.loads(run(str(plain), "--json"))
    (line,) = run(str(packed_one), "--find", "TransferSyntaxUID").splitlines()
    assert line.endswith(DEFLATED)
    assert "PixelData" not in run(str(packed_one))


def test_a_deflated_bomb_is_not_unpacked_to_be_listed(tmp_path: Path) -> None:
    content = file(image(bytes(80 << 20), 10240, 4096), DEFLATED)
    result = CliRunner().invoke(tags, [str(write(tmp_path / "a.dcm", content))])
    assert isinstance(result.exception, TooLarge)
    assert result.exception.file == str(tmp_path / "a.dcm")
    assert "larger than 64 MiB once it is unpacked" in str(result.exception)


def test_a_deflated_file_that_is_damaged_is_told(tmp_path: Path) -> None:
    content = file(image(packed([1, 2, 3, 4]), 2, 2), DEFLATED)
    begin, _ = part10._meta(content)
    result = CliRunner().invoke(tags, [str(write(tmp_path / "a.dcm", content[:begin] + b"\xff" * 50))])
    assert isinstance(result.exception, ConversionError)
    assert "damaged" in str(result.exception)


def test_two_forms_at_once_are_wrong_usage() -> None:
    asked = CliRunner().invoke(tags, [CT, "--json", "--csv"])
    assert asked.exit_code == 2
    assert "exclude one another" in asked.output
