"""Compressed pictures that hold more or fewer bits than the header says: refused, or right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from imagecodecs import (
    htj2k_encode,
    jpeg2k_decode,
    jpeg2k_encode,
    jpeg8_encode,
    jpegls_encode,
    jpegxl_encode,
    ljpeg_encode,
)
from PIL import Image

import converter
from converter.errors import ConversionError
from tests.converter.building import encapsulated, file, image
from tests.converter.running import pngs, run, write
from tests.converter.syntaxes import HTJ2K, J2K, JPEG, JPEG_LS, JPEG_XL, LOSSLESS, RLE, ROOT, rle

DEEP = (np.arange(1024, dtype=np.uint16) * 4).reshape(32, 32)
FLAT = np.arange(1024, dtype=np.uint8).reshape(32, 32)
DEEP_STREAMS = {
    "JPEG-LS": (JPEG_LS, jpegls_encode(DEEP)),
    "JPEG 2000": (J2K, jpeg2k_encode(DEEP, level=0, bitspersample=12, codecformat="j2k")),
    "HTJ2K": (HTJ2K, htj2k_encode(DEEP, reversible=True)),
    "JPEG lossless": (LOSSLESS, ljpeg_encode(DEEP, bitspersample=12)),
    "JPEG XL": (JPEG_XL, jpegxl_encode(DEEP, lossless=True)),
}


def object_of(stream: bytes, syntax: str, allocated: int, stored: int, **attributes: Any) -> bytes:
    bits = {"BitsAllocated": allocated, "BitsStored": stored, "HighBit": stored - 1, **attributes}
    known = HTJ2K if syntax == JPEG_XL else syntax  # pydicom does not name JPEG XL
    content = encapsulated([stream], known, rows=32, columns=32, **bits)
    return content.replace(known.encode(), syntax.encode())


@pytest.mark.parametrize("name", DEEP_STREAMS)
def test_a_compressed_picture_of_wider_cells_than_the_headers_is_refused(name: str) -> None:
    syntax, stream = DEEP_STREAMS[name]
    with pytest.raises(ConversionError, match=r"cells of 8 bits, the compressed picture has cells of 16") as refused:
        converter.open(object_of(stream, syntax, 8, 8), "a.dcm").frame(1)
    assert (refused.value.tag_text, refused.value.frame, refused.value.file) == ("(0028,0100)", 1, "a.dcm")


@pytest.mark.parametrize("name", DEEP_STREAMS)
def test_values_above_the_stored_bits_are_refused_and_not_wrapped(name: str) -> None:
    syntax, stream = DEEP_STREAMS[name]
    with pytest.raises(ConversionError, match=r"values from 0 to 4092, 10 bits hold 0 to 1023") as refused:
        converter.open(object_of(stream, syntax, 16, 10)).frame(1)
    assert refused.value.tag_text == "(0028,0101)"
    assert (converter.open(object_of(stream, syntax, 16, 12)).frame(1).stored == DEEP).all()


LOSSY_J2K = f"{ROOT}4.91"


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_what_a_lossy_codec_overshoots_is_cut_off_and_not_wrapped(signed: bool) -> None:
    black, white = (-2048, 2047) if signed else (0, 4095)
    kind = np.int16 if signed else np.uint16
    cells = np.where(np.random.default_rng(1).random((32, 32)) > 0.5, white, black).astype(kind)
    stream = jpeg2k_encode(cells, level=50, reversible=False, codecformat="j2k")
    assert jpeg2k_decode(stream).max() > white + 200
    content = object_of(stream, LOSSY_J2K, 16, 12, PixelRepresentation=int(signed))
    stored = converter.open(content).frame(1).stored
    assert (stored.min() >= black, stored.max()) == (True, white)
    assert np.abs(stored - cells)[cells == white].max() < 1000


def test_a_value_above_the_highest_is_no_sign_where_others_have_one() -> None:
    cells = np.arange(1024, dtype=np.int16).reshape(32, 32) * 2 + 2
    for below, refused in ((-1, True), (0, False)):
        cells[0, 0] = below
        stream = jpeg2k_encode(cells, level=0, reversible=True, codecformat="j2k")
        content = object_of(stream, J2K, 16, 12, PixelRepresentation=1)
        if refused:
            with pytest.raises(ConversionError, match="values from -1 to 2048, 12 bits hold -2048 to 2047"):
                converter.open(content).frame(1)
        else:
            assert converter.open(content).frame(1).stored[-1, -1] == -2048


def test_a_lossy_picture_of_more_bits_is_refused_all_the_same() -> None:
    stream = jpeg2k_encode(DEEP, level=60, reversible=False, codecformat="j2k", bitspersample=12)
    with pytest.raises(ConversionError, match="11 bits hold 0 to 2047"):
        converter.open(object_of(stream, LOSSY_J2K, 16, 11)).frame(1)


def test_a_picture_of_floating_point_numbers_is_refused() -> None:
    stream = jpegxl_encode(np.linspace(0, 1, 1024, dtype=np.float32).reshape(32, 32), lossless=True)
    with pytest.raises(ConversionError, match="the compressed picture has floating-point numbers"):
        converter.open(object_of(stream, JPEG_XL, 16, 12)).frame(1)


@pytest.mark.parametrize(
    "above",
    [
        {"PixelRepresentation": 1},  # a sign that goes on to the end of the cell
        {"HighBit": 15, "BitsStored": 10},  # the sample lies higher in the cell
        {"OverlayRows": 32, "OverlayColumns": 32, "OverlayOrigin": [1, 1], "OverlayBitsAllocated": 16,
         "OverlayBitPosition": 15, "OverlayType": "G"},  # an overlay of old lies there (PS3.5 8.1.2, retired)
    ],
    ids=["sign", "shifted", "overlay"],
)  # fmt: skip
def test_what_may_lie_above_the_stored_bits_is_left_alone(above: dict[str, Any]) -> None:
    cells = (DEEP.astype(np.int16) - 2048).view(np.uint16) if "PixelRepresentation" in above else DEEP << 4
    attributes = {keyword: value for keyword, value in above.items() if not keyword.startswith("Overlay")}
    dataset_of = image(b"", 32, 32, **{"BitsStored": 12, "HighBit": 11, **attributes})
    for keyword in ("Rows", "Columns", "Origin", "BitsAllocated", "BitPosition", "Type"):
        if f"Overlay{keyword}" in above:
            element, vr = _OVERLAY[keyword]
            dataset_of.add_new(0x60000000 | element, vr, above[f"Overlay{keyword}"])
    from pydicom.encaps import encapsulate

    dataset_of.PixelData = encapsulate([jpegls_encode(cells)])
    assert (converter.open(file(dataset_of, JPEG_LS)).frame(1).samples == cells).all()


_OVERLAY = {"Rows": (0x10, "US"), "Columns": (0x11, "US"), "Origin": (0x50, "SS"), "BitsAllocated": (0x100, "US"),
            "BitPosition": (0x102, "US"), "Type": (0x40, "CS")}  # fmt: skip


@pytest.mark.parametrize("syntax", [RLE, f"{ROOT}1.98"], ids=["RLE", "encapsulated uncompressed"])
def test_garbage_above_the_stored_bits_of_cells_is_masked(syntax: str) -> None:
    cells = DEEP | 0xF000
    stream = rle(cells) if syntax == RLE else cells.tobytes()
    assert (converter.open(object_of(stream, syntax, 16, 12)).frame(1).stored == DEEP).all()


@pytest.mark.parametrize("signed", [0, 1], ids=["unsigned", "signed"])
@pytest.mark.parametrize("window", [{}, {"WindowCenter": "128", "WindowWidth": "256"}], ids=["no window", "window"])
@pytest.mark.parametrize("allocated", [(16, 12), (16, 16), (32, 32)], ids=str)
def test_narrower_cells_than_the_headers_are_shown_as_they_are(
    allocated: tuple[int, int], window: dict[str, str], signed: int
) -> None:
    streams = {JPEG_LS: jpegls_encode(FLAT), JPEG: jpeg8_encode(FLAT, level=100)}
    for syntax, stream in streams.items():
        content = object_of(stream, syntax, *allocated, PixelRepresentation=signed, **window)
        frame = converter.open(content).frame(1)
        values = FLAT.view(np.int8) if signed else FLAT
        assert np.abs(frame.stored.astype(int) - values).max() <= (0 if syntax == JPEG_LS else 255 * signed + 2)
        shown = converter.render(frame).pixels.astype(int)
        wanted = np.clip(values.astype(int), 0, 255) if window else values.astype(int) + 128 * signed
        assert np.median(np.abs(shown - wanted)) <= 1


@pytest.mark.parametrize("signed", [0, 1], ids=["unsigned", "signed"])
def test_a_narrower_jpeg_2000_picture_keeps_its_sign(signed: int) -> None:
    cells = FLAT.view(np.int8) if signed else FLAT
    stream = jpeg2k_encode(cells, level=0, reversible=True, codecformat="j2k")
    content = object_of(stream, J2K, 16, 12, PixelRepresentation=signed)
    assert (converter.open(content).frame(1).stored == cells).all()


def ybr(columns: int, syntax: str = "") -> bytes:
    """Rows of red in YBR 4:2:2, two of them."""
    raw = bytes([76, 76, 85, 255]) * columns
    kind: dict[str, Any] = {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422", "BitsAllocated": 8,
                            "BitsStored": 8, "PlanarConfiguration": 0}  # fmt: skip
    if syntax:
        return encapsulated([raw], syntax, rows=2, columns=columns, **kind)
    return file(image(raw, 2, columns, **kind), vr="OB")


@pytest.mark.parametrize("syntax", ["", f"{ROOT}1.98"], ids=["native", "encapsulated"])
def test_pairs_of_pixels_need_an_even_number_of_columns(syntax: str) -> None:
    with pytest.raises(ConversionError, match="needs an even number of columns, not 3") as refused:
        converter.open(ybr(3, syntax)).frame(1)
    assert refused.value.tag_text == "(0028,0011)"
    red = converter.render(converter.open(ybr(4, syntax)).frame(1)).pixels
    assert red[1, 3].tolist() == [254, 0, 0]


@pytest.mark.parametrize("window", ["file", "none"])
def test_colours_are_rgb_whatever_the_window(window: str, tmp_path: Any) -> None:
    assert run(write(tmp_path / "a.dcm", ybr(4)), "-o", tmp_path / "out", "--window", window).exit_code == 0
    assert Image.open(pngs(tmp_path / "out")[0]).getpixel((3, 1)) == (254, 0, 0)


@pytest.mark.parametrize("stored", [5, 8, 12])
def test_chrominance_is_nought_at_half_of_any_number_of_bits(stored: int) -> None:
    half, allocated = 1 << (stored - 1), 8 if stored <= 8 else 16
    cells = np.array([half, half, half] * 4, f"<u{allocated // 8}").tobytes()
    content = file(image(cells, 2, 2, SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL", PlanarConfiguration=0,
                         BitsAllocated=allocated, BitsStored=stored), vr="OB" if allocated == 8 else "OW")  # fmt: skip
    gray = converter.render(converter.open(content).frame(1)).pixels
    assert np.ptp(gray) == 0
    assert abs(int(gray[0, 0, 0]) - round(half / ((1 << stored) - 1) * 255)) <= 1
