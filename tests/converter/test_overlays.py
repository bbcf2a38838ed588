"""Overlay planes: where they lie, for which frames, and when a state shows them (PS3.3 C.9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import converter
from converter.errors import ConversionError
from converter.presentation.state import presentation_state
from tests.converter.building import file, image, item, packed
from tests.converter.reference import Gray

if TYPE_CHECKING:
    from pathlib import Path

    from converter.presentation.state import PresentationState

from tests.converter.presenting import BE, CELLS, COLUMNS, GSPS, ROWS, WINDOW, agrees, shown, state, voi

PLANE = np.array([[(row + column) % 3 == 0 for column in range(5)] for row in range(4)])


def overlay(plane: np.ndarray[Any, Any] = PLANE, row: int = 1, column: int = 1, **more: Any) -> dict[str, Any]:
    raw = np.packbits(plane.reshape(-1), bitorder="little").tobytes()
    return {"OverlayRows": plane.shape[-2], "OverlayColumns": plane.shape[-1], "OverlayType": "G",
            "OverlayOrigin": [row, column], "OverlayBitsAllocated": 1, "OverlayBitPosition": 0,
            "OverlayData": raw + b"\0" * (len(raw) % 2), **more}  # fmt: skip


def with_overlay(group: int = 0x6000, syntax: str = "1.2.840.10008.1.2.1", base: Any = None, **described: Any) -> bytes:
    dataset = base or image(packed(CELLS, big_endian=syntax == BE), ROWS, COLUMNS, **WINDOW)
    elements = {"OverlayRows": (0x10, "US"), "OverlayColumns": (0x11, "US"), "NumberOfFramesInOverlay": (0x15, "IS"),
                "OverlayType": (0x40, "CS"), "OverlayOrigin": (0x50, "SS"), "ImageFrameOrigin": (0x51, "US"),
                "OverlayBitsAllocated": (0x100, "US"), "OverlayBitPosition": (0x102, "US"),
                "OverlayActivationLayer": (0x1001, "CS"), "OverlayData": (0x3000, "OW")}  # fmt: skip
    for keyword, value in described.items():
        number, vr = elements[keyword]
        dataset.add_new(group << 16 | number, vr, value)
    return file(dataset, syntax)


def placed(row: int, column: int, plane: np.ndarray[Any, Any] = PLANE) -> np.ndarray[Any, Any]:
    """Where a plane is set on the image, by the definition of (60xx,0050)."""
    mask = np.zeros((ROWS, COLUMNS), bool)
    for y, x in zip(*np.nonzero(plane), strict=True):
        if 0 <= y + row - 1 < ROWS and 0 <= x + column - 1 < COLUMNS:
            mask[y + row - 1, x + column - 1] = True
    return mask


@pytest.mark.parametrize(("row", "column"), [(1, 1), (3, 4), (-1, -2), (7, 8), (100, 1), (-50, 3)])
def test_overlays_lie_where_their_origin_says(row: int, column: int) -> None:
    content = with_overlay(**overlay(row=row, column=column))
    plain = shown(content).pixels
    assert (shown(content, overlays=True).pixels == np.where(placed(row, column), 255, plain)).all()


def test_overlays_of_a_big_endian_file() -> None:
    described = overlay()
    raw = described["OverlayData"]
    described["OverlayData"] = b"".join(raw[n : n + 2][::-1] for n in range(0, len(raw), 2))
    content = with_overlay(syntax=BE, **described)
    plain = shown(content).pixels
    assert (shown(content, overlays=True).pixels == np.where(placed(1, 1), 255, plain)).all()


def test_overlays_in_the_high_bits_of_the_cells() -> None:
    mask = placed(2, 3)
    cells = [cell | (int(bit) << 12) for cell, bit in zip(CELLS, mask.reshape(-1), strict=True)]
    base = image(packed(cells), ROWS, COLUMNS, BitsStored=12, **WINDOW)
    described = {key: value for key, value in overlay().items() if key != "OverlayData"}
    content = with_overlay(base=base, **{**described, "OverlayBitsAllocated": 16, "OverlayBitPosition": 12})
    plain = shown(content).pixels
    assert agrees(shown(content), Gray(bits_stored=12, window=(2000, 4000)))
    assert (shown(content, overlays=True).pixels == np.where(mask, 255, plain)).all()


def test_an_overlay_with_frames_of_its_own() -> None:
    planes = np.stack([PLANE, ~PLANE])
    base = image(packed(CELLS * 3), ROWS, COLUMNS, NumberOfFrames=3, **WINDOW)
    content = with_overlay(base=base, **overlay(planes, NumberOfFramesInOverlay="2", ImageFrameOrigin=2))
    instance = converter.open(content)
    plain = converter.render(instance.frame(1)).pixels
    for number, mask in ((1, np.zeros((ROWS, COLUMNS), bool)), (2, placed(1, 1)), (3, placed(1, 1, ~PLANE))):
        found = converter.render(instance.frame(number), overlays=True).pixels
        assert (found == np.where(mask, 255, plain)).all()


def test_overlays_that_the_state_activates(tmp_path: Path) -> None:
    content = with_overlay(**overlay())
    presentation = state(tmp_path, SoftcopyVOILUTSequence=[voi("2000", "4000")])
    plain = shown(content).pixels
    assert (shown(content, presentation).pixels == plain).all()
    image_item = item(ReferencedSOPInstanceUID="1.2.3.4.5")
    active = item(
        SOPClassUID=GSPS,
        PresentationLUTShape="IDENTITY",
        SoftcopyVOILUTSequence=[voi("2000", "4000")],
        ReferencedSeriesSequence=[item(ReferencedImageSequence=[image_item])],
    )
    active.add_new(0x60001001, "CS", "LAYER1")
    (tmp_path / "active.dcm").write_bytes(file(active))
    found = shown(content, presentation_state(str(tmp_path / "active.dcm"))).pixels
    assert (found == np.where(placed(1, 1), 255, plain)).all()


def gsps(tmp_path: Path, *elements: tuple[int, str, Any], **attributes: Any) -> PresentationState:
    """A presentation state with overlay elements of its own."""
    found = item(
        SOPClassUID=GSPS,
        PresentationLUTShape="IDENTITY",
        SoftcopyVOILUTSequence=[voi("2000", "4000")],
        ReferencedSeriesSequence=[item(ReferencedImageSequence=[item(ReferencedSOPInstanceUID="1.2.3.4.5")])],
        **attributes,
    )
    for tag, vr, value in elements:
        found.add_new(tag, vr, value)
    (tmp_path / "own.dcm").write_bytes(file(found))
    presentation_state.cache_clear()
    return presentation_state(str(tmp_path / "own.dcm"))


def elements_of(plane: np.ndarray[Any, Any], group: int = 0x6000) -> list[tuple[int, str, Any]]:
    content = overlay(plane)
    numbers = {"OverlayRows": (0x10, "US"), "OverlayColumns": (0x11, "US"), "OverlayOrigin": (0x50, "SS"),
               "OverlayBitsAllocated": (0x100, "US"), "OverlayData": (0x3000, "OW")}  # fmt: skip
    return [(group << 16 | number, vr, content[keyword]) for keyword, (number, vr) in numbers.items()]


def test_a_plane_of_the_state_itself_is_shown_once_it_is_activated(tmp_path: Path) -> None:
    content = with_overlay()
    plain = shown(content).pixels
    asleep = gsps(tmp_path, *elements_of(~PLANE))
    assert (shown(content, asleep).pixels == plain).all()
    active = gsps(tmp_path, *elements_of(~PLANE), (0x60001001, "CS", "LAYER1"))
    assert (shown(content, active).pixels == np.where(placed(1, 1, ~PLANE), 255, plain)).all()


def test_a_plane_of_the_state_goes_in_place_of_the_images_of_the_same_group(tmp_path: Path) -> None:
    content = with_overlay(**overlay())
    plain = shown(content).pixels
    active = gsps(tmp_path, *elements_of(~PLANE), (0x60001001, "CS", "LAYER1"))
    assert (shown(content, active).pixels == np.where(placed(1, 1, ~PLANE), 255, plain)).all()


def test_a_bitmap_shutter_covers_what_its_plane_sets(tmp_path: Path) -> None:
    plane = np.array([[(row * column) % 3 == 1 for column in range(COLUMNS)] for row in range(ROWS)])
    content = with_overlay()
    plain = shown(content).pixels
    elements = elements_of(plane, 0x6002)
    bitmap = {"ShutterShape": "BITMAP", "ShutterOverlayGroup": 0x6002, "ShutterPresentationValue": 32896}
    presentation = gsps(tmp_path, *elements, (0x60021001, "CS", "LAYER1"), **bitmap)
    assert (shown(content, presentation).pixels == np.where(plane, 128, plain)).all()
    with pytest.raises(ConversionError, match=r"\(0018,1623\): the shutter's overlay is missing"):
        shown(content, gsps(tmp_path, **bitmap))


def test_an_overlay_of_one_frame_for_one_frame_of_the_image() -> None:
    base = image(packed(CELLS * 3), ROWS, COLUMNS, NumberOfFrames=3, **WINDOW)
    instance = converter.open(with_overlay(base=base, **overlay(NumberOfFramesInOverlay="1", ImageFrameOrigin=2)))
    drawn = [(converter.render(instance.frame(n), overlays=True).pixels == 255).any() for n in (1, 2, 3)]
    assert drawn == [False, True, False]
    every = converter.open(with_overlay(base=image(packed(CELLS * 3), ROWS, COLUMNS, NumberOfFrames=3, **WINDOW),
                                        **overlay()))  # fmt: skip
    assert all((converter.render(every.frame(n), overlays=True).pixels == 255).any() for n in (1, 2, 3))


def test_overlay_data_that_is_too_short_is_refused() -> None:
    content = with_overlay(**overlay(OverlayData=b"\1\0"))
    with pytest.raises(ConversionError, match=r"frame 1: \(6000,3000\): the overlay's data is too short"):
        shown(content, overlays=True)
