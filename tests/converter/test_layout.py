"""Names: readable, safe everywhere, and never the same for two things."""

from __future__ import annotations

import re
import struct
from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converter.batch import convert
from converter.errors import ConversionError
from converter.layout import InstanceNames, folder_of, frame_stem, patient_folder, person, safe, stem_of
from converter.target import Target
from tests.converter.building import ct, file, image, packed
from tests.converter.running import lines, pngs, run

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
    ("name", "number", "issuer", "shown"),
    [
        ("Anbu^Selvi", "\u200b\u200e", "erode", "Anbu Selvi (erode) "),
        ("Anbu^Selvi", "\u200b", None, "Anbu Selvi (no id) "),
        ("Anbu^Selvi", "...", "erode", "Anbu Selvi (erode) "),
        ("\u200b^\u200b", "1234", "erode", "Unnamed (1234, erode) "),
        ("\u200b", "\u200b", "erode", "Unnamed (erode) "),
    ],
)
def test_what_cannot_be_seen_leaves_a_name_that_can(name: str, number: str, issuer: str | None, shown: str) -> None:
    names = replace(NAMES, patient_name=name, patient_id=number)
    assert re.fullmatch(re.escape(shown) + "[0-9a-f]{8}", patient_folder(names, issuer))
    assert patient_folder(names, issuer) != patient_folder(replace(names, patient_id=f"{number}\u200b"), issuer)


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
    target = Target(tmp_path, "{patient_id}/{study_date}/../{modality} {instance_number:>4} {uid}")
    folder, stem = target.place(replace(NAMES, patient_id="../../x"), "a.dcm")
    assert folder.relative_to(tmp_path) == PurePosixPath("_.._x", "20240131", "_")
    assert re.fullmatch(r"CT 12 [0-9a-f]{16}", stem)


def test_a_layout_that_two_instances_would_share_keeps_them_apart(tmp_path: Path) -> None:
    target = Target(tmp_path, "{patient_id}/{modality}")
    first, second = (target.place(replace(NAMES, sop_instance_uid=uid), "a") for uid in ("1.2", "1.3"))
    assert first != second
    assert re.fullmatch(r"CT [0-9a-f]{16}", first[1])


def test_a_layout_that_is_wrong_says_what_there_is(tmp_path: Path) -> None:
    for layout in ("{nobody}", "{0}", "{}", "{patient_id.__class__}", "{patient_id[0]}"):
        with pytest.raises(ConversionError, match="fields are patient_name, "):
            Target(tmp_path, layout)
    for layout in ("{patient_id", "{patient_id:d}", "{patient_id:{nobody}}"):
        with pytest.raises(ConversionError, match="is wrong: "):
            Target(tmp_path, layout).place(NAMES, "a.dcm")


def test_folders_that_differ_by_capitals_are_one_on_windows_and_so_are_never_two() -> None:
    people = [("Doe^John", "ab1"), ("Doe^John", "AB1"), ("DOE^JOHN", "AB1"), ("doe^john", "AB1"),
              ("McDoe^John", "AB1"), ("Mcdoe^John", "AB1"), ("MCDOE^JOHN", "AB1")]  # fmt: skip
    folders = {patient_folder(replace(NAMES, patient_name=name, patient_id=number)) for name, number in people}
    assert len({folder.casefold() for folder in folders}) == len(folders)
    assert "Doe John (AB1)" in folders
    of_ids = {patient_folder(replace(NAMES, patient_id=number)).casefold() for number in ("ab1", "AB1", "Ab1")}
    assert len(of_ids) == 3


def test_the_longest_path_is_one_that_windows_opens() -> None:
    long = "W" * 64
    names = replace(NAMES, patient_name=long, patient_id=long, study_description=long, series_description=long,
                    series_number=2**31, instance_number=2**31, modality="W" * 16)  # fmt: skip
    path = folder_of(names, "a-branch") / f"{frame_stem(stem_of(names), 100000, 1000000)}-sheet.png"
    assert len(str(path)) <= 230


def test_flat_names_differ_by_instance(tmp_path: Path) -> None:
    target = Target(tmp_path, "flat")
    places = {target.place(replace(NAMES, sop_instance_uid=uid), source) for uid, source in
              (("1.2", "a"), ("1.3", "a"), ("", "a"), ("", "b"))}  # fmt: skip
    assert len(places) == 4


# As a scanner makes them: what differs stands at the end, which a name that is cut to its length loses.
UIDS = [f"1.3.12.2.1107.5.2.32.35162.2009062610504338893823{number:015d}" for number in range(5)]


@pytest.mark.parametrize(
    "layout",
    [
        "{patient_id}/{patient_id} {sop_instance_uid}",
        "{patient_id}/{sop_instance_uid}",
        "{sop_instance_uid}/{modality}",
        "{study_description} {series_description}",
        "{study_description} {series_description} {instance_number} {uid}",
        "{study_description}{series_description}{uid}{modality}",
        "{modality} {uid:.2}",
        "{sop_instance_uid:.9}",
        "{sop_instance_uid:>70}",
        "{uid!r:.3}",
    ],
)
def test_what_is_too_long_in_a_layout_is_never_what_tells_instances_apart(layout: str, tmp_path: Path) -> None:
    long = replace(NAMES, study_description="MR BRAIN WITH AND WITHOUT CONTRAST", patient_id="ER-4711-2024",
                   series_description="t2_tse_tra_fs_p2_512_post contrast")  # fmt: skip
    assert {len(uid) for uid in UIDS} == {64}
    places = [Target(tmp_path, layout).place(replace(long, sop_instance_uid=uid), "a") for uid in UIDS]
    assert len({folder / stem for folder, stem in places}) == len(UIDS)
    parts = [part for folder, stem in places for part in (folder / stem).relative_to(tmp_path).parts]
    assert max(map(len, parts)) <= 64


def test_a_whole_uid_is_a_name_and_what_is_none_has_a_digest(tmp_path: Path) -> None:
    target = Target(tmp_path, "{sop_instance_uid}")
    assert target.place(replace(NAMES, sop_instance_uid=UIDS[0]), "a") == (tmp_path, UIDS[0])
    wrong = ["1.2/3", "1.2_3", "1.2\\3", "1.2.", "1.2", "9" * 300, "9" * 301, "1.a", "1.A", "", "\u200b"]
    stems = [target.place(replace(NAMES, sop_instance_uid=uid), "a.dcm")[1].casefold() for uid in wrong]
    assert len(set(stems)) == len(wrong)


@given(st.text(max_size=90), st.sampled_from(UIDS), st.sampled_from(["{study_description}", "{series_description}/"]))
def test_no_text_before_a_uid_costs_the_uid(text: str, uid: str, before: str) -> None:
    names = replace(NAMES, study_description=text, series_description=text, sop_instance_uid=uid)
    folder, stem = Target(Path("out"), before + "{modality} {sop_instance_uid}{study_description}").place(names, "a")
    assert uid in stem
    assert folder.parts[0] == "out"


# Found by trying: the first 32 bits of their digests are the same.
NAMESAKES = ("1.2.840.113619.2.55.3.111048", "1.2.840.113619.2.55.3.127821")


def test_two_instances_in_one_flat_folder_do_not_share_a_name(tmp_path: Path) -> None:
    assert len({stem_of(replace(NAMES, sop_instance_uid=uid)) for uid in NAMESAKES}) == 1
    assert len({Target(tmp_path, "flat").place(replace(NAMES, sop_instance_uid=uid), "a") for uid in NAMESAKES}) == 2


@pytest.mark.parametrize("options", [[], ["--sheet"], ["--cine", "apng"]], ids=["still", "sheet", "cine"])
def test_a_name_that_another_instance_has_is_no_picture_that_is_there_already(
    options: list[str], tmp_path: Path
) -> None:
    for number, uid in enumerate(NAMESAKES):
        content = file(image(packed([1, 2, 3, 4]), 2, 2, SOPInstanceUID=uid, WindowCenter="2", WindowWidth="4"))
        (tmp_path / f"{number}.dcm").write_bytes(content)
    for count in ({"picture": 1, "failure": 1}, {"skipped": 1, "failure": 1}):
        result = run(
            tmp_path / "0.dcm", tmp_path / "1.dcm", "-o", tmp_path / "out", "--json", "--workers", "0", *options
        )
        assert Counter(line["result"] for line in lines(result)) == count
        assert result.exit_code == 5
        (failure,) = [line for line in lines(result) if line["result"] == "failure"]
        assert failure["source"].endswith("1.dcm")
        assert f"name is taken by one of instance {NAMESAKES[0]}: {pngs(tmp_path / 'out')[0]}" in failure["reason"]


def numbered(number: str) -> bytes:
    """An image with an Instance Number that pydicom would not write."""
    return ct(1).replace(b"\x20\x00\x13\x00IS\x02\x001 ", number_element(number))


def number_element(number: str) -> bytes:
    raw = number.encode() + b" " * (len(number) % 2)
    return b"\x20\x00\x13\x00IS" + len(raw).to_bytes(2, "little") + raw


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_number_that_is_out_of_range_costs_only_its_file(workers: str, tmp_path: Path) -> None:
    place = tmp_path / "in"
    place.mkdir()
    (place / "a.dcm").write_bytes(numbered("1e300"))
    (place / "b.dcm").write_bytes(
        ct(3).replace(b"\x20\x00\x13\x00IS\x02\x003 ", b"\x20\x00\x13\x00FD\x08\x00" + struct.pack("<d", 1e308))
    )
    (place / "c.dcm").write_bytes(ct(4))
    result = run(place, "-o", tmp_path / "out", "--json", "--workers", workers)
    assert result.exit_code == 5
    assert len(pngs(tmp_path / "out")) == 1
    failures = sorted((line["source"][-5:], line["tag"], line["reason"]) for line in lines(result) if "reason" in line)
    assert failures == [
        ("a.dcm", "(0020,0013)", "InstanceNumber is out of range: 1e+300"),
        ("b.dcm", "(0020,0013)", "InstanceNumber is out of range: 1e+308"),
    ]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_name_that_cannot_be_costs_only_its_file(workers: str, tmp_path: Path) -> None:
    """A path has at most 4,096 bytes; other file systems take shorter names."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number, words in enumerate(["short", "L" * 60, "brief"]):
        (folder / f"{number}.dcm").write_bytes(ct(number, StudyDescription=words))
    deep = tmp_path
    while (left := 4030 - len(str(deep))) > 0:
        deep /= "d" * (left - 1 if left <= 200 else 100)
    command = [folder, "-o", deep, "--layout", "{study_description}/{uid}", "--json", "--workers", workers]
    result = run(*command)
    assert result.exit_code == 5
    found = {Path(line["source"]).name: line for line in lines(result)}
    assert [found[name]["result"] for name in ("0.dcm", "1.dcm", "2.dcm")] == ["picture", "failure", "picture"]
    assert found["1.dcm"]["reason"].startswith("its picture cannot have its name (File name too long: ")


def test_a_folder_that_has_a_pictures_name_costs_only_that_picture(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.dcm").write_bytes(ct(number))
    sources, out = (tmp_path / "1.dcm", tmp_path / "2.dcm"), tmp_path / "out"
    run(*sources, "-o", out, "--layout", "{instance_number}/{sop_instance_uid}")
    taken = out / "1" / "1.2.3.4.1.png"
    taken.unlink()
    taken.mkdir()
    for more, of_the_other in (["--replace"], "picture"), ([], "skipped"):
        result = run(*sources, "-o", out, "--layout", "{instance_number}/{sop_instance_uid}", "--json", *more)
        failure, other = sorted(lines(result), key=lambda line: line["source"])
        assert (failure["result"], other["result"]) == ("failure", of_the_other)
        assert failure["reason"] == f"its picture cannot have its name (Is a directory: {taken})"
        assert not list(out.rglob(".*"))


def test_a_target_below_a_file_stops_the_run(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(ct(1))
    with pytest.raises(NotADirectoryError):
        list(convert([path], Target(path / "out")))
