"""Reports, PDF and clinical documents: readable, and harmless."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from pydicom.data import get_testdata_file

from converter.dicom import part10
from converter.documents.document import document
from converter.errors import ConversionError
from tests.converter.building import file, item

EVIL = "<script>alert(1)</script>\"'&"
SR = "1.2.840.10008.5.1.4.1.1.88.11"


class Seen(HTMLParser):
    """The tags and text of a page."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.feed(html.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def made(**attributes: object) -> tuple[str, bytes]:
    found = document(part10.read(file(item(SOPInstanceUID="1.2.3", **attributes))).header)
    assert found
    return found


def code(meaning: str) -> object:
    return item(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning=meaning)


def test_the_shipped_reports() -> None:
    for name, words in (("test-SR.dcm", ["Diagnosis", "Diameter", "3 cm"]), ("reportsi.dcm", ["Report Text"])):
        found = document(part10.read(str(get_testdata_file(name))).header)
        assert found
        seen = Seen(found[1])
        assert all(word in seen.text for word in words)
        assert "script" not in seen.tags


def test_a_reports_text_is_escaped() -> None:
    suffix, html = made(
        SOPClassUID=SR,
        Modality="SR",
        ValueType="CONTAINER",
        PatientName=EVIL[:20],
        ConceptNameCodeSequence=[code(EVIL)],
        ContentSequence=[
            item(ValueType="TEXT", ConceptNameCodeSequence=[code(EVIL)], TextValue=EVIL),
            item(ValueType="PNAME", PersonName="Anbu^Selvi"),
            item(
                ValueType="NUM",
                ConceptNameCodeSequence=[code("Size")],
                MeasuredValueSequence=[item(NumericValue="12.5", MeasurementUnitsCodeSequence=[code("mm")])],
            ),
        ],
    )
    seen = Seen(html)
    assert suffix == ".html"
    assert "script" not in seen.tags
    assert EVIL in seen.text
    assert "Anbu Selvi" in seen.text
    assert b"default-src 'none'" in html


def test_a_report_that_nests_without_end_is_refused() -> None:
    nested = item(ValueType="CONTAINER")
    for _ in range(100):
        nested = item(ValueType="CONTAINER", ContentSequence=[nested])
    content = file(item(SOPInstanceUID="1.2.3", ValueType="CONTAINER", ContentSequence=[nested]))
    with pytest.raises(ConversionError, match="more than 64 deep"):
        document(part10.read(content).header)


def encapsulated(kind: str, content: bytes) -> tuple[str, bytes]:
    return made(MIMETypeOfEncapsulatedDocument=kind, EncapsulatedDocument=content + b"\0" * (len(content) % 2),
                EncapsulatedDocumentLength=len(content))  # fmt: skip


def test_a_pdf_comes_out_as_it_went_in() -> None:
    assert encapsulated("application/pdf", b"%PDF-1.7 abc") == (".pdf", b"%PDF-1.7 abc")
    assert encapsulated("application/pdf", b"%PDF-1.7 ab") == (".pdf", b"%PDF-1.7 ab")


@pytest.mark.parametrize(
    ("kind", "content", "reason"),
    [
        ("application/pdf", b"MZ no PDF", "is none"),
        ("text/html", b"<html></html>", "is not converted"),
        ("text/xml", b"<a><b></a>", "is no XML"),
        ("text/xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        ("text/xml", b"<a>" * 200 + b"</a>" * 200, "nests more than"),
    ],
)
def test_what_nobody_could_open_safely_is_refused(kind: str, content: bytes, reason: str) -> None:
    if reason == "nests more than":
        content = b"<c><section><text>" + content + b"</text></section></c>"
    with pytest.raises(ConversionError, match=reason):
        encapsulated(kind, content)


CDA = b"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Discharge</title>
<recordTarget><patientRole><patient><name><given>Selvi</given><family>Anbu</family></name></patient></patientRole></recordTarget>
<component><structuredBody><component><section><title>Findings &amp; more</title>
<text><paragraph onclick="x">Size &lt; 5 mm</paragraph><table><tbody><tr><td>1</td></tr></tbody></table>
<script>bad</script><list><item>one</item></list></text></section></component></structuredBody></component></ClinicalDocument>"""


def test_a_clinical_document_is_readable() -> None:
    suffix, html = encapsulated("text/xml", CDA)
    seen = Seen(html)
    assert suffix == ".html"
    assert {"p", "table", "td", "ul", "li"} <= seen.tags
    assert "script" not in seen.tags
    assert all(word in seen.text for word in ("Discharge", "Selvi Anbu", "Findings & more", "Size < 5 mm"))
