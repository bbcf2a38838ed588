"""The content of a data set: the same in each encoding, and another one where any value is another."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from appliance.keeping import content
from appliance.keeping.content import Content, content_of
from tests.converter.building import encapsulated, file, image, item

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mock import MockerFixture

ALIKE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)


def a_scan() -> Dataset:
    """Nested sequences of either kind of length, an empty one, private elements, texts and numbers."""
    inner = item(CodeValue="T-1", CodingSchemeDesignator="SRT", CodeMeaning="x")
    step = item(ScheduledProcedureStepID="7", ScheduledProtocolCodeSequence=[inner, item(CodeValue="T-2")])
    made = image(bytes(range(48)), 4, 6, RequestAttributesSequence=[step], WindowCenter="1\\2", SliceThickness="1.5")
    made.ReferencedImageSequence = []
    made.SmallestImagePixelValue = 3
    made.private_block(0x0029, "GURNEY", create=True).add_new(1, "LO", "private")
    made["RequestAttributesSequence"].is_undefined_length = True
    return made


def content_as(folder: Path, made: Dataset, syntax: str) -> Content | None:
    path = folder / "a.dcm"
    path.write_bytes(file(made, syntax))
    return content_of(path)


@pytest.mark.parametrize("syntax", ALIKE)
@pytest.mark.parametrize("other", ALIKE)
def test_it_is_the_same_in_each_encoding(tmp_path: Path, syntax: str, other: str) -> None:
    first, second = content_as(tmp_path, a_scan(), syntax), content_as(tmp_path, a_scan(), other)
    assert first is not None
    assert second is not None
    assert first.is_that_of(second)


def of_another_kind(made: Dataset) -> None:
    del made.SmallestImagePixelValue
    made.add_new(0x00280106, "SS", 3)


def deeper(made: Dataset) -> None:
    made.RequestAttributesSequence[0].ScheduledProtocolCodeSequence[1].CodeValue = "T-3"


def moved(made: Dataset) -> None:
    step = made.RequestAttributesSequence[0]
    step.ScheduledProtocolCodeSequence[0].update(step.ScheduledProtocolCodeSequence.pop())


CHANGES: dict[str, Callable[[Dataset], object]] = {
    "a value": lambda made: setattr(made, "PatientID", "43"),
    "a value in an item": deeper,
    "two items that are one": moved,
    "an item more": lambda made: made.RequestAttributesSequence.append(Dataset()),
    "an empty sequence less": lambda made: delattr(made, "ReferencedImageSequence"),
    "a private value": lambda made: setattr(made[0x00291001], "value", "other"),
    "an element more": lambda made: setattr(made, "PatientComments", ""),
    "one pixel": lambda made: setattr(made, "PixelData", made.PixelData[:-1] + b"\0"),
}


@pytest.mark.parametrize("syntax", ALIKE)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_is_another_where_anything_is(tmp_path: Path, change: Callable[[Dataset], object], syntax: str) -> None:
    changed = a_scan()
    change(changed)
    first, second = content_as(tmp_path, a_scan(), ExplicitVRLittleEndian), content_as(tmp_path, changed, syntax)
    assert first is not None
    assert second is not None
    assert not first.is_that_of(second)
    assert not second.is_that_of(first)


def test_a_vr_that_was_put_right_is_another_where_both_say_it(tmp_path: Path) -> None:
    corrected = a_scan()
    of_another_kind(corrected)
    first = content_as(tmp_path, a_scan(), ExplicitVRLittleEndian)
    second, third = (
        content_as(tmp_path, corrected, syntax) for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    )
    assert first
    assert second
    assert third
    assert not first.is_that_of(second)
    assert first.is_that_of(third)


def test_compressed_pixels_are_compared_as_they_are(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("plain", "once", "again", "other")]
    paths[0].write_bytes(file(image(bytes(48), 4, 6)))
    for path, fragment in zip(paths[1:], (b"ab", b"ab", b"ac"), strict=True):
        path.write_bytes(encapsulated([fragment], RLELossless, rows=4, columns=6))
    plain, once, again, other = map(content_of, paths)
    assert plain
    assert once
    assert again
    assert other
    assert once.is_that_of(again)
    assert not once.is_that_of(other)
    assert not once.is_that_of(plain)


def test_of_some_nothing_is_said(tmp_path: Path, mocker: MockerFixture) -> None:
    assert content_as(tmp_path, a_scan(), ExplicitVRBigEndian) is None
    mocker.patch.object(content, "MOST_ELEMENTS", 5)
    assert content_as(tmp_path, a_scan(), ExplicitVRLittleEndian) is None
    mocker.stopall()
    mocker.patch.object(content, "MOST_BYTES", 600)
    assert content_as(tmp_path, a_scan(), DeflatedExplicitVRLittleEndian) is None
    assert content_as(tmp_path, a_scan(), ExplicitVRLittleEndian) is None


@pytest.mark.parametrize("syntax", ALIKE)
def test_what_is_damaged_ends_in_nothing_or_another(tmp_path: Path, syntax: str) -> None:
    """Cut off anywhere, or with bytes changed: never the same, and never a fault."""
    whole, path, chance = file(a_scan(), syntax), tmp_path / "damaged.dcm", random.Random(syntax)
    path.write_bytes(whole)
    said = content_of(path)
    assert said
    begin = whole.index(b"\x08\0\x16\0") if syntax != DeflatedExplicitVRLittleEndian else len(whole) // 2
    for end in range(begin, len(whole) - 1):
        path.write_bytes(whole[:end])
        cut = content_of(path)
        assert cut is None or not cut.is_that_of(said), end
    for _ in range(500):
        place = chance.randrange(begin, len(whole))
        path.write_bytes(whole[:place] + bytes([chance.randrange(256)]) + whole[place + 1 :])
        content_of(path)


@pytest.mark.parametrize("name", ["MR_small.dcm", "rtplan.dcm", "examples_overlay.dcm", "reportsi.dcm"])
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_files_of_others_are_known_again(tmp_path: Path, name: str) -> None:
    """As pydicom writes them in either encoding."""
    said = []
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        found = pydicom.dcmread(str(get_testdata_file(name)))
        found.file_meta.TransferSyntaxUID = syntax
        found.save_as(tmp_path / name, enforce_file_format=True)
        said.append(content_of(tmp_path / name))
    first, second = said
    assert first
    assert second
    assert first.is_that_of(second)
