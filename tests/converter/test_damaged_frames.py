"""A frame that is missing or damaged costs itself and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from imagecodecs import jpegls_encode
from PIL import Image

import converter
from converter.errors import ConversionError
from tests.converter.building import encapsulated, file, image
from tests.converter.running import lines, pngs, run, write
from tests.converter.syntaxes import JPEG_LS

if TYPE_CHECKING:
    from pathlib import Path

CELLS = [np.random.default_rng(number).integers(0, 4000, (32, 32)).astype(np.uint16) for number in range(20)]
STREAMS = [jpegls_encode(cells) for cells in CELLS]
DAMAGED = STREAMS[0][:40] + b"\xff\xd9"


def with_damage(*numbers: int, promised: int = 20) -> bytes:
    streams = [DAMAGED if number in numbers else stream for number, stream in enumerate(STREAMS, 1)]
    return encapsulated(streams, JPEG_LS, rows=32, columns=32, NumberOfFrames=promised, BitsStored=12, HighBit=11)


@pytest.mark.parametrize("damaged", [(20,), (1,), (1, 6, 10, 15, 20), tuple(range(1, 20))], ids=str)
def test_damaged_frames_without_a_window_cost_only_themselves(damaged: tuple[int, ...], tmp_path: Path) -> None:
    result = run(write(tmp_path / "a.dcm", with_damage(*damaged)), "-o", tmp_path / "out", "--json")
    assert result.exit_code == 5
    assert len(pngs(tmp_path / "out")) == 20 - len(damaged)
    assert [line["frame"] for line in lines(result) if line["result"] == "failure"] == list(damaged)


def test_where_nothing_can_be_decoded_each_frame_says_so(tmp_path: Path) -> None:
    result = run(write(tmp_path / "a.dcm", with_damage(*range(1, 21))), "-o", tmp_path / "out", "--json")
    assert [line["frame"] for line in lines(result)] == list(range(1, 21))
    with pytest.raises(ConversionError, match="cannot be decoded"):
        converter.open(with_damage(*range(1, 21))).automatic_window()


def test_damage_does_not_change_the_window_of_the_others() -> None:
    """Frames that are sampled in place of damaged ones are as good."""
    whole, damaged = (converter.open(with_damage(*numbers)).automatic_window() for numbers in ((), (1, 20)))
    assert damaged.width == pytest.approx(whole.width, rel=0.01)


@pytest.mark.parametrize("kind", ["native", "encapsulated"])
def test_missing_frames_without_a_window_cost_only_themselves(kind: str, tmp_path: Path) -> None:
    raw = b"".join(cells.tobytes() for cells in CELLS)
    native = file(image(raw, 32, 32, NumberOfFrames=1000))
    content = native if kind == "native" else with_damage(promised=1000)
    result = run(write(tmp_path / "a.dcm", content), "-o", tmp_path / "out", "--json")
    assert len(pngs(tmp_path / "out")) == 20
    (failure,) = [line for line in lines(result) if line["result"] == "failure"]
    assert failure["frame"] == 21
    assert "(frames 21 to 1000 are missing)" in failure["reason"]


@pytest.mark.parametrize("options", [["--cine", "apng"], ["--cine", "webp"], ["--sheet"]], ids=lambda given: given[-1])
def test_a_moving_picture_or_sheet_is_made_of_the_frames_that_are_there(options: list[str], tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", with_damage(promised=1_000_000))
    result = run(path, "-o", tmp_path / "out", "--json", *options)
    picture, failure = sorted(lines(result), key=lambda line: line["result"], reverse=True)
    assert (picture["result"], picture["frames"]) == ("picture", 20)
    assert (failure["result"], failure["frame"]) == ("failure", 21)
    assert "(frames 21 to 1000000 are missing)" in failure["reason"]
    with Image.open(picture["path"]) as shown:
        if "--cine" in options:
            assert getattr(shown, "n_frames", 1) == 20
        else:
            assert shown.size == size_of_a_sheet_of_twenty(tmp_path)


@pytest.mark.parametrize("options", [["--cine", "apng"], ["--cine", "webp"], ["--sheet"]], ids=lambda given: given[-1])
def test_a_moving_picture_or_sheet_that_fails_leaves_nothing(options: list[str], tmp_path: Path) -> None:
    result = run(write(tmp_path / "a.dcm", with_damage(7)), "-o", tmp_path / "out", "--json", *options)
    (failure,) = lines(result)
    assert (failure["result"], failure["frame"], result.exit_code) == ("failure", 7, 5)
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def size_of_a_sheet_of_twenty(folder: Path) -> tuple[int, int]:
    result = run(write(folder / "b.dcm", with_damage()), "-o", folder / "b", "--json", "--sheet")
    with Image.open(lines(result)[0]["path"]) as whole:
        return whole.size


def test_frames_asked_for_that_are_all_missing_are_one_failure(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", with_damage(promised=40))
    for options in ([], ["--sheet"]):
        (failure,) = lines(run(path, "-o", tmp_path / "out", "--json", "--frames", "30-40", *options))
        assert (failure["result"], failure["frame"]) == ("failure", 30)
