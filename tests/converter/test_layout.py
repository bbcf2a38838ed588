"""Names: readable, safe everywhere, and never the same for two things."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converter.errors import ConversionError
from converter.layout import InstanceNames, folder_of, frame_stem, person, safe, stem_of
from converter.target import Target

NAMES = InstanceNames("Anbu^Selvi", "1234", "1.2.3", "20240131", "CT Abdomen", "1.2.3.4", 3, "axial 5mm", "CT",
                      "1.2.3.4.5", "1.2.840.10008.5.1.4.1.1.2", 12, 1)  # fmt: skip


def test_folders_that_a_person_can_read() -> None:
    patient, study, series = folder_of(NAMES, "erode").parts
    assert patient == "Anbu Selvi (1234, erode)"
    assert re.fullmatch(r"2024-01-31 CT Abdomen [0-9a-f]{8}", study)
    assert re.fullmatch(r"003 CT axial 5mm [0-9a-f]{8}", series)
    assert re.fullmatch(r"0012 [0-9a-f]{8}", stem_of(NAMES))
    assert frame_stem("0012 abc", 7, 1) == "0012 abc"
    assert frame_stem("0012 abc", 7, 20000) == "0012 abc-00007"


@pytest.mark.parametrize(
    "change",
    [
        {"patient_id": "1235"},
        {"patient_id": "12/34"},
        {"patient_id": "12_34"},
        {"patient_id": "12:34"},
        {"patient_name": "Anbu?Selvi"},
        {"study_instance_uid": "1.2.9"},
        {"series_instance_uid": "1.2.9"},
        {"patient_id": "1234 " + "x" * 300},
        {"patient_id": "1234 " + "x" * 301},
        {"patient_id": ""},
        {"patient_name": ""},
    ],
)
def test_two_things_never_share_a_folder(change: dict[str, str]) -> None:
    assert folder_of(replace(NAMES, **change)) != folder_of(NAMES)  # type: ignore[arg-type]  # all are text


def test_changed_ids_stay_apart() -> None:
    ids = ["12/34", "12_34", "12:34", "12|34", "12\\34", "12 34", "1234.", "1234 ."]
    assert len({folder_of(replace(NAMES, patient_id=identifier)) for identifier in ids}) == len(ids)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada Tarou"),
        ("=山田^太郎", "山田 太郎"),
        ("Adams^John Robert Quincy^^Rev.^B.A.", "Adams John Robert Quincy Rev. B.A."),
        ("", ""),
    ],
)
def test_person_names(name: str, shown: str) -> None:
    assert person(name) == shown


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("..", "_"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("con", "_con"),
        ("LPT1.txt", "_LPT1.txt"),
        ("a\0b\x1fc", "a_b_c"),
        ("ends with dots...", "ends with dots"),
        (".hidden", "hidden"),
        ("a‮gnp.b", "agnp.b"),
        ("", "_"),
    ],
)
def test_safe_parts(text: str, name: str) -> None:
    assert safe(text) == name


@given(st.text(max_size=300))
def test_any_text_makes_a_part_that_every_system_takes(text: str) -> None:
    part = safe(text)
    assert part
    assert not set(part) & set('<>:"/\\|?*')
    assert part not in (".", "..")
    assert not part.endswith((".", " "))
    assert len(part.encode()) <= 121
    assert len(part) <= 61
    part.encode("utf-8")


def test_a_layout_of_ones_own(tmp_path: Path) -> None:
    target = Target(tmp_path, "{patient_id}/{study_date}/../{modality} {instance_number:>4}")
    folder, stem = target.place(replace(NAMES, patient_id="../../x"), "a.dcm")
    assert folder.relative_to(tmp_path) == PurePosixPath("_.._x", "20240131", "_")
    assert stem == "CT   12".replace("   ", " ")


def test_a_layout_that_is_wrong_says_what_there_is(tmp_path: Path) -> None:
    for layout in ("{nobody}", "{0}", "{patient_id", "{patient_id.__class__.x}"):
        with pytest.raises(ConversionError, match="fields are patient_name, "):
            Target(tmp_path, layout).place(NAMES, "a.dcm")


def test_flat_names_differ_by_instance(tmp_path: Path) -> None:
    target = Target(tmp_path, "flat")
    places = {target.place(replace(NAMES, sop_instance_uid=uid), source) for uid, source in
              (("1.2", "a"), ("1.3", "a"), ("", "a"), ("", "b"))}  # fmt: skip
    assert len(places) == 4
