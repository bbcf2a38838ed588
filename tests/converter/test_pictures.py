"""What is written: PNG and its chunks, animations, sheets; each read back by Pillow."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageCms

import converter
from converter.errors import ConversionError
from converter.frame_times import frame_times_ms
from converter.gray.request import window_request
from converter.options import Options, frame_ranges
from converter.picture import filters
from converter.picture.pixel_size import PixelSize, squared
from converter.picture.png import Chunk, parts
from converter.picture.sheet import sheet
from converter.picture.webp import write_webp
from converter.results import Failure, Picture, Skipped
from converter.writing import pictures
from tests.converter.building import file, image, item, packed

if TYPE_CHECKING:
    from pathlib import Path

CELLS = list(range(0, 2400, 100))
WINDOW = {"WindowCenter": "1200", "WindowWidth": "2400"}


def opened(png: bytes) -> Any:
    return Image.open(io.BytesIO(png))


def made(frames: int = 1, **attributes: Any) -> converter.instance.Instance:
    more = {"NumberOfFrames": frames} if frames > 1 else {}
    cells = [cell + n for n in range(frames) for cell in CELLS]
    return converter.open(file(image(packed(cells), 4, 6, **{**WINDOW, **more, **attributes})))


def png_of(instance: Any, options: Options | None = None) -> Any:
    frame = instance.frame(1)
    return opened(converter.encode(converter.render(frame), frame, options))


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (33, 20), (9, 8, 3), (1, 1, 3), (5, 4, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, ">u2"])
@pytest.mark.parametrize("small", [False, True])
def test_pixels_come_back_as_they_were(shape: tuple[int, ...], dtype: Any, small: bool) -> None:
    pixels = np.random.default_rng(1).integers(0, 255 if dtype == np.uint8 else 65535, shape).astype(dtype)
    content = b"".join(parts(pixels, small=small))
    if pixels.itemsize == 2 and pixels.ndim == 3:
        assert struct.unpack(">IIBB", content[16:26]) == (shape[1], shape[0], 16, 2 if shape[2] == 3 else 6)
        return  # Pillow reads 16-bit colour as 8
    found = np.asarray(opened(content))
    assert (found.reshape(shape) == pixels).all()


@pytest.mark.parametrize("pixel_bytes", [1, 2, 3, 6])
def test_every_filter_is_what_png_says(pixel_bytes: int) -> None:
    # PNG 9.2, undone byte by byte
    rows = np.random.default_rng(2).integers(0, 256, (12, 6 * pixel_bytes)).astype(np.uint8)
    rows[4:8] = np.arange(6 * pixel_bytes)
    for filtered in (
        filters.up(rows),
        filters.best_of_three(rows, pixel_bytes),
        filters.best_of_five(rows, pixel_bytes),
    ):
        assert unfiltered(filtered.tolist(), pixel_bytes) == rows.tolist()


def unfiltered(rows: list[list[int]], pixel_bytes: int) -> list[list[int]]:
    above, result = [0] * (len(rows[0]) - 1), []
    for kind, *filtered in rows:
        row: list[int] = []
        for n, value in enumerate(filtered):
            left, corner = (row[n - pixel_bytes], above[n - pixel_bytes]) if n >= pixel_bytes else (0, 0)
            row.append((value + _predicted(kind, left, above[n], corner)) % 256)
        result.append(row)
        above = row
    return result


def _predicted(kind: int, a: int, b: int, c: int) -> int:
    if kind == 4:
        p = a + b - c
        return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
    return (0, a, b, (a + b) // 2)[kind]


def test_a_picture_says_what_it_is_and_never_who() -> None:
    text = png_of(made()).text
    assert text["SOP Instance UID"] == "1.2.3.4.5"
    assert text["Frame"] == "1 of 1"
    assert text["Window"] == "center 1200 width 2400 LINEAR, image"
    assert text["Disclaimer"] == "not for diagnosis"
    assert text["Software"] == "Gurney"
    assert "Test" not in str(text)


def test_a_picture_says_who_when_asked() -> None:
    text = png_of(made(PatientName="Müller^Jörg", SpecificCharacterSet="ISO_IR 192"), Options(identified=True)).text
    assert text["Title"] == "Müller^Jörg (42)"


def test_physical_size_is_the_pixel_spacing() -> None:
    assert png_of(made(PixelSpacing=["0.5", "0.25"])).info["dpi"] == pytest.approx((4000 * 0.0254, 2000 * 0.0254))
    group = item(PixelMeasuresSequence=[item(PixelSpacing=["1", "2"])])
    shared = made(SharedFunctionalGroupsSequence=[group], PixelSpacing=["9", "9"])
    assert png_of(shared).info["dpi"] == pytest.approx((500 * 0.0254, 1000 * 0.0254))
    assert png_of(made(ImagerPixelSpacing=["0.1", "0.1"])).info["dpi"] == pytest.approx((254, 254))


def test_an_aspect_ratio_is_declared() -> None:
    # pixels twice as high as wide: PS3.3 C.7.6.3.1.7 gives vertical\horizontal
    assert png_of(made(PixelAspectRatio=["2", "1"])).info["aspect"] == (2, 1)


@pytest.mark.parametrize("spacing", [["0", "1"], ["-1", "1"], ["1e300", "1"], ["1"]])
def test_a_spacing_that_is_none_is_left_out(spacing: list[str]) -> None:
    assert "dpi" not in png_of(made(PixelSpacing=spacing)).info


def test_pixels_that_are_not_square_are_stretched_when_asked(tmp_path: Path) -> None:
    content = file(image(packed(CELLS), 4, 6, PixelSpacing=["2", "1"], **WINDOW))
    (found,) = pictures(converter.open(content), tmp_path, "a", Options(square=True), (1,))
    assert isinstance(found, Picture)
    assert (found.rows, found.columns) == (8, 6)
    with Image.open(found.path) as picture:
        assert picture.info["dpi"] == pytest.approx((25.4, 25.4), rel=1e-3)
    assert squared(np.array([[0, 100]], np.uint8), PixelSize(1, 2, in_mm=True)).tolist() == [[0, 25, 75, 100]]


def test_pixels_of_an_aspect_ratio_are_stretched_when_asked(tmp_path: Path) -> None:
    content = file(image(packed(CELLS), 4, 6, PixelAspectRatio=["1", "3"], **WINDOW))
    (found,) = pictures(converter.open(content), tmp_path, "a", Options(square=True), (1,))
    assert isinstance(found, Picture)
    assert (found.rows, found.columns) == (4, 18)
    with Image.open(found.path) as picture:
        assert "aspect" not in picture.info


def test_pixels_of_an_absurd_shape_are_refused_and_only_declared_otherwise(tmp_path: Path) -> None:
    content = file(image(packed(CELLS), 4, 6, PixelSpacing=["1000", "0.001"], **WINDOW))
    (failed,) = pictures(converter.open(content), tmp_path, "a", Options(square=True), (1,))
    assert isinstance(failed, Failure)
    assert "pixels 1e+06 times as long as wide cannot be made square" in failed.reason
    assert list(tmp_path.iterdir()) == []
    (found,) = pictures(converter.open(content), tmp_path, "a", Options(), (1,))
    assert isinstance(found, Picture)
    assert (found.rows, found.columns) == (4, 6)


def test_a_sheet_does_not_claim_its_frames_physical_size(tmp_path: Path) -> None:
    instance = made(3, PixelSpacing=["0.5", "0.5"])
    (found,) = pictures(instance, tmp_path, "x", Options(sheet=True), (1, 2, 3))
    assert isinstance(found, Picture)
    with Image.open(found.path) as picture:
        assert "dpi" not in picture.info


def test_a_colour_profile_is_kept() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    rgb = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0,
           "BitsAllocated": 8, "BitsStored": 8, "WindowCenter": None, "WindowWidth": None}  # fmt: skip
    pixels = bytes(range(72))
    found = png_of(converter.open(file(image(pixels, 4, 6, ICCProfile=profile, **rgb), vr="OB")))
    assert found.info["icc_profile"] == profile
    assert "srgb" in png_of(converter.open(file(image(pixels, 4, 6, ColorSpace="SRGB", **rgb), vr="OB"))).info
    broken = png_of(converter.open(file(image(pixels, 4, 6, ICCProfile=profile[:90], **rgb), vr="OB")))
    assert "icc_profile" not in broken.info


def test_16_bits_of_gray() -> None:
    frame = made().frame(1)
    found = opened(converter.encode(converter.render(frame, bits=16), frame))
    assert found.mode.startswith("I;16")
    assert np.asarray(found)[0, 1] == round((100 - 1199.5) / 2399 * 65535 + 32767.5)


def test_a_text_beyond_latin_1_is_international() -> None:
    from converter.picture.chunks import text

    assert text("Title", "山田").kind == b"iTXt"
    assert Chunk(b"tEXt", b"a\0b").encoded()[-4:] == zlib.crc32(b"tEXta\0b").to_bytes(4)


# --- frames on disk


def test_one_picture_a_frame(tmp_path: Path) -> None:
    found = [one for one in pictures(made(3), tmp_path, "x", Options(), (1, 2, 3)) if isinstance(one, Picture)]
    names = ["x-0001.png", "x-0002.png", "x-0003.png"]
    assert [(picture.path.name, picture.frame) for picture in found] == list(zip(names, (1, 2, 3), strict=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_frame_ranges() -> None:
    assert frame_ranges("1-3,7,9-").of(10) == (1, 2, 3, 7, 9, 10)
    assert frame_ranges("4").of(3) == ()
    for wrong in ("", "0", "a", "1-b", "-3", "1,,2"):
        with pytest.raises(ConversionError, match="are no frames"):
            frame_ranges(wrong)


def test_a_picture_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    instance = made(3)
    (tmp_path / "x-0002.png").write_bytes(b"mine")
    results = list(pictures(instance, tmp_path, "x", Options(), (1, 2, 3)))
    assert [type(result) for result in results] == [Picture, Skipped, Picture]
    assert (tmp_path / "x-0002.png").read_bytes() == b"mine"
    results = list(pictures(instance, tmp_path, "x", Options(replace=True), (1, 2, 3)))
    assert [type(result) for result in results] == [Picture] * 3
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("kind", ["apng", "webp"])
def test_a_cine_has_the_objects_frames_and_times(tmp_path: Path, kind: str) -> None:
    instance = made(3, FrameTime="40")
    (found,) = pictures(instance, tmp_path, "x", Options(cine=kind), (1, 2, 3))
    assert isinstance(found, Picture)
    assert found.frames == 3
    with Image.open(found.path) as moving:
        assert moving.n_frames == 3
        for number in range(3):
            moving.seek(number)
            moving.load()
            expected = converter.render(instance.frame(number + 1)).pixels
            assert (np.asarray(moving.convert("L")) == expected).all()
            assert moving.info["duration"] == 40


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (33, 20), (20, 33, 3)])
def test_webps_own_programs_read_the_cine(tmp_path: Path, shape: tuple[int, ...], small: bool) -> None:
    frames = [np.random.default_rng(n).integers(0, 256, shape).astype(np.uint8) for n in range(4)]
    path = tmp_path / "x.webp"
    with path.open("wb") as file:
        write_webp(file, frames, (40, 0.2, 60_000, 33.4), small=small)
    told = subprocess.run(["webpinfo", path], check=True, capture_output=True, text=True).stdout
    assert "No error detected" in told
    assert f"Canvas size {shape[1]} x {shape[0]}" in told
    assert re.findall(r"Duration: (\d+)", told) == ["40", "1", "60000", "33"]
    assert told.count("Format: Lossy" if small else "Format: Lossless") == 4
    for number, pixels in enumerate(frames, 1):
        subprocess.run(["webpmux", "-get", "frame", str(number), path, "-o", tmp_path / "frame.webp"], check=True)
        with Image.open(tmp_path / "frame.webp") as picture:
            found = np.asarray(picture if len(shape) == 3 else picture.convert("L"))
            assert found.shape == shape
            assert small or (found == pixels).all()


def test_a_webp_that_cannot_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = converter.open(file(image(packed([0] * 40000), 2, 20000, NumberOfFrames=1, **WINDOW)))
    (found,) = pictures(instance, tmp_path, "x", Options(cine="webp"), (1,))
    assert isinstance(found, Failure)
    assert "at most 16383 pixels on a side; choose apng" in found.reason
    monkeypatch.setattr("converter.picture.webp._LARGEST_BYTES", 100)
    (found,) = pictures(made(3), tmp_path, "x", Options(cine="webp"), (1, 2, 3))
    assert isinstance(found, Failure)
    assert "choose fewer frames, or apng" in found.reason
    assert list(tmp_path.iterdir()) == []


def test_frame_times() -> None:
    assert frame_times_ms(made(3).header, (1, 2, 3)) == (100, 100, 100)
    assert frame_times_ms(made(3, CineRate="25").header, (1,)) == (40,)
    assert frame_times_ms(made(3, RecommendedDisplayFrameRate="50").header, (1,)) == (20,)
    assert frame_times_ms(made(3, FrameTimeVector=["0", "10", "30"], FrameTime="7").header, (1, 2, 3)) == (10, 30, 7)
    assert frame_times_ms(made(3, FrameTime="-5").header, (1,)) == (100,)


def test_a_sheet_shows_every_frame_in_reading_order() -> None:
    frames = [np.full((4, 6), 10 * n, np.uint8) for n in range(1, 6)]
    page = sheet(iter(frames), 5)
    assert page.shape == (2 * 4 + 2, 3 * 6 + 2 * 2)
    assert [page[0, 0], page[0, 8], page[0, 16], page[6, 0], page[6, 8], page[6, 16]] == [10, 20, 30, 40, 50, 0]


def test_a_sheet_of_large_frames_is_of_bounded_size(tmp_path: Path) -> None:
    page = sheet((np.full((1000, 3000, 3), 77, np.uint8) for _ in range(40)), 40)
    assert max(page.shape) <= 4096
    assert set(np.unique(page)) == {0, 77}
    (found,) = pictures(made(3), tmp_path, "x", Options(sheet=True), (1, 2, 3))
    assert isinstance(found, Picture)
    assert found.path.name == "x-sheet.png"


@pytest.mark.parametrize("more", [{"bits": 16}, {"window": window_request("none")}])
def test_what_has_8_bits_is_not_asked_for_16(more: Any) -> None:
    for kind in ({"sheet": True}, {"cine": "webp"}):
        with pytest.raises(ConversionError, match="8 bits"):
            Options(**kind, **more)


def test_memory_and_another_window() -> None:
    frame = made().frame(1)
    wide, narrow = converter.render(frame), converter.render(frame, window_request("1000,10"))
    assert wide.pixels.tolist() != narrow.pixels.tolist()
    assert set(np.unique(narrow.pixels)) <= set(range(256))
