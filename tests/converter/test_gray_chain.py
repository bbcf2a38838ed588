"""The grayscale chain against the reference: every branch of it, and what goes wrong in real files."""

from __future__ import annotations

import math
from typing import Any

import pytest

import converter
from converter.gray.request import window_request
from tests.converter.building import file, image, packed
from tests.converter.gray_cases import BE, STORED_AND_WINDOWS, Case
from tests.converter.gray_lut_cases import TABLES_AND_PADDING

CASES = [*STORED_AND_WINDOWS, *TABLES_AND_PADDING]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_gray_is_what_the_standard_says(case: Case) -> None:
    instance = converter.open(built(case))
    (frame,) = converter.frames(instance)

    rendering = converter.render(frame, window_request(case.window), case.bits)

    shown = rendering.pixels.reshape(-1).tolist()
    for cell, gray in zip(case.cells, shown, strict=True):
        exact = case.gray.exact(cell)
        assert abs(gray - exact) <= 0.5 + 1e-6 * case.gray.top / 255, f"cell {cell}: {gray}, the standard says {exact}"
    assert case.source is None or rendering.window_source == case.source
    assert bool(rendering.warnings) == case.warns


def built(case: Case) -> bytes:
    """The case as a file of two rows."""
    attributes = dict(case.attributes)
    for keyword in ("FloatPixelData", "DoubleFloatPixelData"):
        if keyword in attributes:
            attributes[keyword] = packed(case.cells, code=case.code)
            attributes |= {"BitsAllocated": 32 if case.code == "f" else 64, "BitsStored": None, "HighBit": None}
            attributes["PixelRepresentation"] = None
    bits = case.gray.bits_allocated
    big_endian = case.syntax == BE and bits > 8
    pixels = b"" if case.code else packed(case.cells, bits, big_endian=big_endian)
    if case.syntax == BE and bits == 8:
        pixels = b"".join(pixels[n : n + 2][::-1] for n in range(0, len(pixels), 2))
    center = attributes.pop("WindowCenter", None)
    dataset = image(pixels, 2, len(case.cells) // 2, **attributes)
    if center is not None:
        comma = isinstance(center, str) and "," in center
        dataset.WindowCenter = "40.5" if comma else center
        content = file(dataset, case.syntax)
        return content.replace(b"40.5", b"40,5") if comma else content
    return file(dataset, case.syntax)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 60


def test_not_a_number_is_black() -> None:
    cells = [math.nan, 0.0, 1.0, math.inf]
    dataset = image(b"", 2, 2, FloatPixelData=packed(cells, code="f"), WindowCenter="0.5", WindowWidth="1")
    dataset.VOILUTFunction = "LINEAR_EXACT"

    (frame,) = converter.frames(converter.open(file(dataset)))

    assert converter.render(frame).pixels.tolist() == [[0, 0], [255, 255]]


@pytest.mark.parametrize(
    ("attributes", "cells", "expected", "offset"),
    [
        ({"BitsStored": 12}, [0, 1, 4095, 0xF005], [0, 1, 4095, 5], 0),
        ({"PixelRepresentation": 1}, [-32768, -1, 0, 32767], [0, 32767, 32768, 65535], 32768),
        ({"PixelRepresentation": 1, "BitsStored": 12}, [-2048, -1, 0, 2047], [0, 2047, 2048, 4095], 2048),
    ],
    ids=["unsigned", "signed", "12 bits signed"],
)
def test_stored_values_are_kept_in_16_bits(
    attributes: dict[str, Any], cells: list[int], expected: list[int], offset: int
) -> None:
    (frame,) = converter.frames(converter.open(file(image(packed(cells), 2, 2, **attributes))))

    rendering = converter.render(frame, window_request("none"))

    assert rendering.pixels.reshape(-1).tolist() == expected
    assert (rendering.bits, rendering.offset, rendering.window_source) == (16, offset, "stored values")


@pytest.mark.parametrize("window", ["file", "auto", "full", "100,50,sigmoid"])
def test_a_rescale_beyond_all_numbers_makes_a_picture(window: str) -> None:
    content = file(image(packed([0, 1, 50, 60000]), 2, 2, RescaleSlope="1e308", RescaleIntercept="-1e308"))
    frame = converter.open(content).frame(1)
    assert converter.render(frame, window_request(window)).pixels[0, 0] == 0
