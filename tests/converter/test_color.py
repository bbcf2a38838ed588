"""Colour against the reference: RGB, YBR, palettes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import converter
from tests.converter.building import file, image, item, packed
from tests.converter.reference import expanded_palette, ybr_full, ybr_partial

LE, BE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
EIGHT_BITS = {"BitsAllocated": 8, "BitsStored": 8}
# Colours from every corner of the cube, and grays.
TRIPLES = [
    (0, 0, 0),
    (255, 255, 255),
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (12, 200, 99),
    (128, 128, 128),
    (90, 3, 250),
]


def shown(content: bytes, bits: int = 8) -> list[tuple[int, ...]]:
    """The colours of the first frame's pixels."""
    frame = next(converter.frames(converter.open(content)))
    return [tuple(pixel) for pixel in converter.render(frame, bits=bits).pixels.reshape(-1, 3).tolist()]


def colored(
    photometric: str, samples: list[int], *, planar: int = 0, bits: int = 8, syntax: str = LE, **more: Any
) -> bytes:
    attributes = {"SamplesPerPixel": 3, "PhotometricInterpretation": photometric, "PlanarConfiguration": planar}
    pixels = packed(samples, bits, big_endian=syntax == BE and bits > 8)
    dataset = image(pixels, 2, 4, **attributes, BitsAllocated=bits, BitsStored=more.pop("stored", bits), **more)
    return file(dataset, syntax, vr="OB" if bits == 8 else "OW")


def flat(triples: list[tuple[int, int, int]]) -> list[int]:
    return [sample for triple in triples for sample in triple]


def planes(triples: list[tuple[int, int, int]]) -> list[int]:
    return [triple[sample] for sample in range(3) for triple in triples]


def near(found: list[tuple[int, ...]], expected: list[tuple[float, ...]], tolerance: float) -> bool:
    return bool(np.abs(np.array(found, float) - np.array(expected, float)).max() <= tolerance)


@pytest.mark.parametrize(
    ("planar", "samples"), [(0, flat(TRIPLES)), (1, planes(TRIPLES))], ids=["by pixel", "by plane"]
)
def test_rgb_is_as_it_is(planar: int, samples: list[int]) -> None:
    assert shown(colored("RGB", samples, planar=planar)) == TRIPLES


def test_rgb_of_16_bits_is_scaled() -> None:
    samples = [value * 257 for value in flat(TRIPLES)]
    assert shown(colored("RGB", samples, bits=16)) == TRIPLES
    assert shown(colored("RGB", samples, bits=16, syntax=BE)) == TRIPLES
    assert shown(colored("RGB", samples, bits=16), bits=16) == [tuple(257 * v for v in triple) for triple in TRIPLES]


def test_rgb_of_12_stored_bits_ignores_the_others() -> None:
    samples = [(value * 4095 // 255) | 0xF000 for value in flat(TRIPLES)]
    assert near(shown(colored("RGB", samples, bits=16, stored=12)), TRIPLES, 1)


def test_ybr_full() -> None:
    assert near(shown(colored("YBR_FULL", flat(TRIPLES))), [ybr_full(*triple) for triple in TRIPLES], 0.51)


def test_ybr_full_of_16_bits() -> None:
    samples = [value * 257 for value in flat(TRIPLES)]
    assert near(shown(colored("YBR_FULL", samples, bits=16)), [ybr_full(*triple) for triple in TRIPLES], 1.5)


@pytest.mark.parametrize(("name", "inverse"), [("YBR_FULL_422", ybr_full), ("YBR_PARTIAL_422", ybr_partial)])
def test_ybr_with_half_of_the_chrominance(name: str, inverse: Any) -> None:
    quads = [(16, 235, 100, 150), (50, 60, 240, 16), (128, 128, 128, 128), (200, 10, 90, 200)]
    expected = [inverse(y, cb, cr) for y1, y2, cb, cr in quads for y in (y1, y2)]
    assert near(shown(colored(name, [value for quad in quads for value in quad])), expected, 1)


# --- palettes: PS3.3 C.7.6.3.1.5, C.7.9

RED, GREEN, BLUE = [0, 10, 100, 200, 255], [255, 128, 64, 32, 0], [7, 77, 177, 207, 237]
CELLS = [0, 1, 2, 3, 4, 2, 1, 250]


def paletted(descriptor: list[int], data: list[bytes], cells: list[int] = CELLS, *, segmented: bool = False,
             syntax: str = LE, bits: int = 8, **more: Any) -> bytes:  # fmt: skip
    dataset = image(packed(cells, bits), 2, 4, PhotometricInterpretation="PALETTE COLOR",
                    BitsAllocated=bits, BitsStored=bits, **more)  # fmt: skip
    for name, content in zip(("Red", "Green", "Blue"), data, strict=True):
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", descriptor)
        setattr(dataset, ("Segmented" if segmented else "") + f"{name}PaletteColorLookupTableData", content)
    return file(dataset, syntax, vr="OB")


def words(values: list[int], *, big_endian: bool = False) -> bytes:
    return packed(values, 16, big_endian=big_endian)


def by_hand(first: int = 0) -> list[tuple[int, ...]]:
    places = [min(max(cell - first, 0), 4) for cell in CELLS]
    return [(RED[place], GREEN[place], BLUE[place]) for place in places]


@pytest.mark.parametrize("first", [0, 1, 2])
def test_palette_of_16_bits(first: int) -> None:
    data = [words([value * 257 for value in channel]) for channel in (RED, GREEN, BLUE)]
    assert shown(paletted([5, first, 16], data)) == by_hand(first)


def test_palette_with_values_in_the_high_bytes() -> None:
    data = [words([value << 8 for value in channel]) for channel in (RED, GREEN, BLUE)]
    assert near(shown(paletted([5, 0, 16], data)), by_hand(), 1)


def test_palette_of_8_bits_packed_two_to_a_word() -> None:
    data = [bytes([*channel, 0]) for channel in (RED, GREEN, BLUE)]
    assert shown(paletted([5, 0, 8], data)) == by_hand()


def test_palette_of_8_bits_in_words() -> None:
    data = [words(channel) for channel in (RED, GREEN, BLUE)]
    assert shown(paletted([5, 0, 8], data)) == by_hand()


def test_palette_that_says_16_bits_and_holds_8() -> None:
    data = [words(channel) for channel in (RED, GREEN, BLUE)]
    assert shown(paletted([5, 0, 16], data)) == by_hand()


def test_palette_of_a_big_endian_file() -> None:
    data = [words([value * 257 for value in channel], big_endian=True) for channel in (RED, GREEN, BLUE)]
    cells = [CELLS[n ^ 1] for n in range(8)]
    content = paletted([5, 0, 16], data, cells, syntax=BE).replace(b"OB\0\0\0\0\0\x08", b"OW\0\0\0\0\0\x08")
    assert shown(content) == by_hand()


def test_palette_of_signed_cells() -> None:
    data = [words([value * 257 for value in channel]) for channel in (RED, GREEN, BLUE)]
    content = paletted([5, -2, 16], data, [254, 255, 0, 1, 2, 0, 255, 100], PixelRepresentation=1)
    assert shown(content) == [tuple(c[n] for c in (RED, GREEN, BLUE)) for n in (0, 1, 2, 3, 4, 2, 1, 4)]


def test_segmented_palette() -> None:
    # discrete 2, linear to 60000 over 4, then both again by an indirect segment
    segments = [0, 2, 100, 200, 1, 4, 60000, 2, 2, 0, 0]
    table = expanded_palette(segments)
    assert len(table) == 12
    cells = [0, 1, 2, 3, 5, 6, 9, 11]
    data = [words(segments)] * 3
    expected = [(table[cell] / 257,) * 3 for cell in cells]
    assert near(shown(paletted([12, 0, 16], data, cells, segmented=True)), expected, 0.51)


def test_segmented_palette_that_refers_to_itself_is_refused() -> None:
    segments = [0, 1, 9, 2, 65535, 0, 0]
    with pytest.raises(converter.errors.ConversionError, match="segment of unknown kind 2"):
        shown(paletted([400, 0, 16], [words(segments)] * 3, segmented=True))


def test_supplemental_palette_colors_only_its_values() -> None:
    cells = [0, 500, 1000, 1023, 1024, 1025, 1026, 4000]
    dataset = image(packed(cells), 2, 4, WindowCenter="512", WindowWidth="1024", PixelPresentation="COLOR")
    for name, channel in (("Red", [65535, 0, 0]), ("Green", [0, 65535, 0]), ("Blue", [0, 0, 65535])):
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [3, 1024, 16])
        setattr(dataset, f"{name}PaletteColorLookupTableData", words(channel))
    found = shown(file(dataset))
    assert [len(set(pixel)) for pixel in found[:4]] == [1, 1, 1, 1]
    assert found[4:] == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 255)]


def test_missing_palette_is_refused() -> None:
    content = file(image(packed(CELLS, 8), 2, 4, PhotometricInterpretation="PALETTE COLOR", **EIGHT_BITS))
    with pytest.raises(converter.errors.ConversionError, match=r"\(0028,1101\): the palette is missing"):
        shown(content)


def test_fractional_segmentation_is_white_at_its_maximum() -> None:
    dataset = image(packed([0, 50, 100, 25], 8), 2, 2, **EIGHT_BITS, SegmentationType="FRACTIONAL",
                    MaximumFractionalValue=100, SegmentSequence=[item(SegmentNumber=1)])  # fmt: skip
    frame = next(converter.frames(converter.open(file(dataset))))
    assert converter.render(frame).pixels.reshape(-1).tolist() == [0, 128, 255, 64]


def test_labelmap_segmentation_spreads_its_labels() -> None:
    dataset = image(packed([0, 1, 2, 4], 8), 2, 2, **EIGHT_BITS, SegmentationType="LABELMAP",
                    SegmentSequence=[item(SegmentNumber=n) for n in (1, 2, 4)])  # fmt: skip
    frame = next(converter.frames(converter.open(file(dataset))))
    assert converter.render(frame).pixels.reshape(-1).tolist() == [0, 64, 128, 255]
