"""The header: what elements hold, in every way that real files write them."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom.datadict import dictionary_keyword, dictionary_VR
from pydicom.uid import UID

import converter
from converter.dicom import elements as el
from converter.dicom import part10, syntaxes, tags
from converter.dicom.header import Header
from converter.dicom.tags import Tag
from converter.errors import ConversionError, NotDicomError
from converter.layout import names_of
from tests.converter.building import SHIPPED, ct, file, image, item, packed

if TYPE_CHECKING:
    from pathlib import Path

ALL_TAGS = [
    tag
    for value in vars(tags).values()
    for tag in (value if isinstance(value, tuple) else (value,))
    if isinstance(tag, Tag)
]


@pytest.mark.parametrize("tag", ALL_TAGS, ids=lambda tag: tag.keyword)
def test_tags_are_those_of_the_standard(tag: Tag) -> None:
    assert dictionary_keyword(int(tag)) == tag.keyword
    vr = dictionary_VR(int(tag))
    assert tag.vr in vr.split(" or ") or (tag.vr == "XS" and vr == "US or SS")


def test_transfer_syntaxes_are_those_of_the_standard() -> None:
    for uid, syntax in syntaxes.TRANSFER_SYNTAXES.items():
        known = UID(uid)
        if known.is_transfer_syntax and not known.is_private and uid != "1.2.840.10008.1.2.8.1":
            assert known.is_implicit_VR == syntax.encoding.implicit
            assert known.is_little_endian != syntax.encoding.big_endian
            assert known.is_deflated == syntax.deflated
            assert known.is_encapsulated == syntax.encapsulated


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.94", "1.2.3"])
def test_syntaxes_without_a_decoder_are_refused_by_name(uid: str) -> None:
    content = ct()
    old = content.index(b"1.2.840.10008.1.2.1\0")
    padded = uid.encode() + b"\0" * (len(uid) % 2)
    changed = content[: old - 2] + struct.pack("<H", len(padded)) + padded + content[old + 20 :]
    with pytest.raises(ConversionError, match=f"transfer syntax {uid} cannot be converted") as refused:
        converter.open(changed)
    assert refused.value.tag_text == "(0002,0010)"


def body(content: bytes) -> bytes:
    """The dataset without preamble and meta information."""
    return content[content.index(b"\x08\x00\x16\x00") :]


LE, IMPLICIT, BE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"


@pytest.mark.parametrize("syntax", [LE, IMPLICIT, BE])
def test_a_bare_dataset_is_read_as_it_looks(syntax: str) -> None:
    cells = [0, 1, 2, 4095]
    whole = file(image(packed(cells, big_endian=syntax == BE), 2, 2), syntax)
    start = whole.index(b"\x00\x08\x00\x16" if syntax == BE else b"\x08\x00\x16\x00")
    opened = converter.open(whole[start:])
    assert opened.frame(1).stored.reshape(-1).tolist() == cells
    assert "no transfer syntax is given" in opened.file.warnings[0]


def test_a_file_without_preamble() -> None:
    assert converter.open(ct()[132:]).frame_count == 1


def test_meta_information_without_a_transfer_syntax() -> None:
    content = ct()
    at = content.index(b"\x02\x00\x10\x00UI")
    without = content[:at] + content[at + 8 + 20 :]
    assert converter.open(without).frame(1).stored[0, 1] == 100


@pytest.mark.parametrize(("stated", "written"), [(IMPLICIT, LE), (LE, IMPLICIT)])
def test_a_syntax_that_is_not_what_was_written(stated: str, written: str) -> None:
    head = file(image(packed([1, 2, 3, 4]), 2, 2), stated)
    tail = body(file(image(packed([1, 2, 3, 4]), 2, 2), written))
    opened = converter.open(head[: len(head) - len(body(head))] + tail)
    assert opened.frame(1).stored.reshape(-1).tolist() == [1, 2, 3, 4]
    assert "it was read as it is" in opened.file.warnings[0]


def test_elements_as_un_are_read_by_the_dictionary() -> None:
    content = ct()
    for number in (0x10, 0x11):  # Rows and Columns, as a gateway that knows no VR writes them
        at = content.index(struct.pack("<HH2s", 0x28, number, b"US"))
        value = content[at + 8 : at + 10]
        unknown = struct.pack("<HH2sHL", 0x28, number, b"UN", 0, 2) + value
        content = content[:at] + unknown + content[at + 10 :]
    assert converter.open(content).pixels.shape == (4, 6)


def test_a_sequence_as_un_is_read_as_implicit() -> None:
    window = struct.pack("<HHL", 0x28, 0x1050, 4) + b"100 " + struct.pack("<HHL", 0x28, 0x1051, 4) + b"300 "
    inner = struct.pack("<HHL", 0xFFFE, 0xE000, len(window)) + window
    voi = struct.pack("<HHL", 0x28, 0x9132, len(inner)) + inner
    groups = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + voi + struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
    sequence = (
        struct.pack("<HH2sHL", 0x5200, 0x9229, b"UN", 0, 0xFFFFFFFF) + groups + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    )
    content = file(image(packed([1, 2, 3, 4]), 2, 2))
    at = content.index(b"\xe0\x7f\x10\x00")
    rendering = converter.render(converter.open(content[:at] + sequence + content[at:]).frame(1))
    assert (rendering.window_source, rendering.window and rendering.window.center) == ("shared", 100)


def test_implicit_elements_in_an_explicit_item() -> None:
    """Writers that copy an implicit item into an explicit file."""
    window = struct.pack("<HHL", 0x28, 0x1050, 4) + b"100 " + struct.pack("<HHL", 0x28, 0x1051, 4) + b"300 "
    header = Header(window, el.index(window, 0, len(window), el.Encoding()), el.Encoding())
    assert (header.number(tags.WINDOW_CENTER), header.number(tags.WINDOW_WIDTH)) == (100, 300)


@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("syntax", [LE, IMPLICIT, BE])
def test_sequences_of_either_length(undefined: bool, syntax: str) -> None:
    groups = [item(FrameVOILUTSequence=[item(WindowCenter=str(n), WindowWidth="9")]) for n in range(4)]
    dataset = image(packed([1, 2, 3, 4], big_endian=syntax == BE), 2, 2, PerFrameFunctionalGroupsSequence=groups)
    dataset["PerFrameFunctionalGroupsSequence"].is_undefined_length = undefined
    for group in groups:
        group.is_undefined_length_sequence_item = undefined
        group["FrameVOILUTSequence"].is_undefined_length = undefined
    header = part10.read(file(dataset, syntax)).header
    found = header.items(tags.PER_FRAME_FUNCTIONAL_GROUPS)
    assert [group.items(tags.FRAME_VOI_LUT)[0].integer(tags.WINDOW_CENTER) for group in found] == [0, 1, 2, 3]


CHARSETS = {
    "chrX1": ("ISO_IR 192", "Wang^XiaoDong=王^小东", "Wang XiaoDong"),
    "chrGreek": ("ISO_IR 126", "Διονυσιος", "Διονυσιος"),
    "chrGerm": ("ISO_IR 100", "Äneas^Rüdiger", "Äneas Rüdiger"),
    "chrJapan": ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎", "Yamada Tarou"),
    "chrKorea": ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞", "Hong Gildong"),
}


@pytest.mark.parametrize("name", CHARSETS)
def test_names_in_character_sets(name: str) -> None:
    charset, patient, _ = CHARSETS[name]
    dataset = image(packed([1, 2, 3, 4]), 2, 2, SpecificCharacterSet=charset.split("\\"), PatientName=patient)
    assert names_of(part10.read(file(dataset)).header).patient_name == patient


def test_bytes_that_are_no_text_do_not_stop_a_picture() -> None:
    content = ct(PatientName="Abcd^Efgh").replace(b"Abcd^Efgh", b"\xff\xfecd^\x80fgh")
    assert "cd^" in names_of(part10.read(content).header).patient_name


def test_a_number_that_is_none_names_its_element() -> None:
    content = ct(RescaleSlope="1.5").replace(b"1.5 ", b"abc ")
    with pytest.raises(ConversionError, match=r"frame 1: \(0028,1053\): RescaleSlope holds no DS value: b'abc "):
        converter.render(converter.open(content, "x.dcm").frame(1))


def test_what_can_be_opened(tmp_path: Path) -> None:
    content = ct()
    (tmp_path / "a.dcm").write_bytes(content)
    for source in (content, tmp_path / "a.dcm", str(tmp_path / "a.dcm"), io.BytesIO(content)):
        assert converter.open(source).frame_count == 1
    with pytest.raises(ConversionError, match=r"cannot be read .No such file"):
        converter.open(tmp_path / "b.dcm")
    with pytest.raises(NotDicomError, match=r"notes\.txt: this is no DICOM file"):
        converter.open(SHIPPED / "README.txt", "notes.txt")


def test_a_mapped_file_gives_what_a_read_one_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.dcm").write_bytes(ct(1, frames=40))
    read = [frame.stored for frame in converter.frames(converter.open(tmp_path / "a.dcm"))]
    monkeypatch.setattr("converter.dicom.part10.MAPPED_FROM_BYTES", 0)
    mapped = [frame.stored.copy() for frame in converter.frames(converter.open(tmp_path / "a.dcm"))]
    assert (np.stack(read) == np.stack(mapped)).all()


def test_errors_say_where_and_travel() -> None:
    import pickle

    error = ConversionError("it is wrong", file="a.dcm", frame=3, tag=0x00280010)
    assert str(error) == "a.dcm: frame 3: (0028,0010): it is wrong"
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), type(again)) == (str(error), ConversionError)
    assert pickle.loads(pickle.dumps(tags.ROWS)).keyword == "Rows"


@pytest.mark.parametrize("modules", ["converter, converter.errors, converter.layout", "cli.convert"])
def test_light_modules_stay_light(modules: str) -> None:
    heavy = "{'numpy', 'pydicom', 'isal', 'PIL', 'rich'}"
    program = f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_what_elements_say_is_worked_out_once_for_all_that_write_them_the_same() -> None:
    seen: list[int | None] = []

    def rows(header: Header) -> None:
        assert tags.COLUMNS not in header
        seen.append(header.integer(tags.ROWS))

    def ask(rows_of: int, comments: str) -> None:
        content = file(image(b"", rows_of, 2, PatientComments=comments))
        part10.read(content).header.derived((tags.ROWS, 0x00104000), rows)

    for rows_of, comments in ((3, "a"), (3, "a"), (4, "a"), (3, "b"), (4, "a")):
        ask(rows_of, comments)
    assert seen == [3, 4, 3]
    for _ in range(2):
        ask(5, "A" * 5000)
    assert seen == [3, 4, 3, 5, 5]


def test_an_element_of_undefined_length_does_not_hold_the_rest_of_the_file() -> None:
    content = file(image(b"", 3, 2))
    place = content.index(b"\x10\x00\x10\x00PN")
    sequence = b"\x10\x00\x10\x00UN\0\0\xff\xff\xff\xff\xfe\xff\xdd\xe0\0\0\0\0"
    length = int.from_bytes(content[place + 6 : place + 8], "little")
    header = part10.read(content[:place] + sequence + content[place + 8 + length :]).header
    assert header.derived((tags.PATIENT_NAME, tags.ROWS), lambda found: tuple(found.places)) == (tags.ROWS,)
