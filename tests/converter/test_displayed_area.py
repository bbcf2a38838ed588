"""The part of an image that a presentation state shows (PS3.3 C.10.4), and where its annotations lie (C.10.5)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

import converter
from converter.errors import ConversionError
from converter.options import Options
from converter.results import Failure, Picture
from converter.writing import pictures
from tests.converter.building import file, image, item, packed
from tests.converter.presenting import CELLS, COLUMNS, ROWS, picture, shown, state, voi

if TYPE_CHECKING:
    from pathlib import Path

    from converter.presentation.state import PresentationState

WINDOW = [voi("2000", "4000")]
ORIENTATIONS = [(rotation, flip) for rotation in (0, 90, 180, 270) for flip in ("N", "Y")]


def area(first: tuple[int, int], last: tuple[int, int], **more: Any) -> Any:
    return item(DisplayedAreaTopLeftHandCorner=list(first), DisplayedAreaBottomRightHandCorner=list(last),
                PresentationSizeMode="SCALE TO FIT", **more)  # fmt: skip


def with_area(tmp_path: Path, *areas: Any, **more: Any) -> PresentationState:
    return state(tmp_path, SoftcopyVOILUTSequence=WINDOW, DisplayedAreaSelectionSequence=list(areas), **more)


def restated(pixels: Any, left: int, top: int, right: int, bottom: int, rotation: int, flip: str) -> list[list[int]]:
    """The shown part pixel by pixel: cut, then turned clockwise a quarter at a time, then mirrored."""
    rows, columns = pixels.shape
    part = [
        [
            int(pixels[row - 1, column - 1]) if 1 <= row <= rows and 1 <= column <= columns else 0
            for column in range(left, right + 1)
        ]
        for row in range(top, bottom + 1)
    ]
    for _ in range(rotation // 90):
        part = [[part[-1 - row][column] for row in range(len(part))] for column in range(len(part[0]))]
    return [row[::-1] for row in part] if flip == "Y" else part


@pytest.mark.parametrize(("rotation", "flip"), ORIENTATIONS)
@pytest.mark.parametrize(
    "corners",
    [(1, 1, COLUMNS, ROWS), (3, 2, 7, 6), (4, 4, 4, 4), (-2, -1, 12, 4), (9, 7, 30, 20), (50, 50, 60, 70)],
    ids=["whole", "inside", "one pixel", "beyond two edges", "beyond the others", "outside"],
)
def test_the_displayed_area(tmp_path: Path, corners: tuple[int, int, int, int], rotation: int, flip: str) -> None:
    left, top, right, bottom = corners
    presentation = with_area(
        tmp_path, area((left, top), (right, bottom)), ImageRotation=rotation, ImageHorizontalFlip=flip
    )
    found = shown(picture(), presentation).pixels
    assert found.tolist() == restated(shown(picture()).pixels, left, top, right, bottom, rotation, flip)


def test_corners_are_those_of_the_turned_picture(tmp_path: Path) -> None:
    # Turned clockwise, the image's bottom left corner becomes the top left one.
    named = with_area(tmp_path, area((3, 6), (7, 2)), ImageRotation=90)
    plain = shown(picture()).pixels
    assert shown(picture(), named).pixels.tolist() == restated(plain, 3, 2, 7, 6, 90, "N")


def test_each_image_has_its_area(tmp_path: Path) -> None:
    elsewhere = area((1, 1), (2, 2), ReferencedImageSequence=[item(ReferencedSOPInstanceUID="1.9.9")])
    own = area((2, 2), (5, 4), ReferencedImageSequence=[item(ReferencedSOPInstanceUID="1.2.3.4.5")])
    assert shown(picture(), with_area(tmp_path, elsewhere, own)).pixels.shape == (3, 4)


def test_an_area_of_a_whole_slide_is_none_of_a_tile(tmp_path: Path) -> None:
    slide = area((1, 1), (90000, 90000), PixelOriginInterpretation="VOLUME")
    assert shown(picture(), with_area(tmp_path, slide)).pixels.shape == (ROWS, COLUMNS)


def test_an_area_without_corners_or_without_bounds_is_refused(tmp_path: Path) -> None:
    side = 2049  # squared it is more than the 4 million that any image may be shown in
    for wrong, words in (
        (area((1, 1), (side, side)), r"\(0070,0053\): the displayed area is too large"),
        (item(DisplayedAreaTopLeftHandCorner=[1, 1]), r"frame 1: \(0070,0052\): the displayed area has no two corners"),
    ):
        with pytest.raises(ConversionError, match=words):
            shown(picture(), with_area(tmp_path, wrong))


def info(presentation: PresentationState, **attributes: Any) -> dict[str, Any]:
    frame = converter.open(picture(**attributes)).frame(1)
    png = converter.encode(converter.render(frame, presentation=presentation), frame)
    found: dict[str, Any] = Image.open(io.BytesIO(png)).info
    return found


def test_the_states_pixel_spacing_is_the_pictures(tmp_path: Path) -> None:
    true_size = area((1, 1), (COLUMNS, ROWS), PresentationPixelSpacing=["0.5", "0.25"])
    presentation = with_area(tmp_path, true_size)
    assert info(presentation, PixelSpacing=["9", "9"])["dpi"] == pytest.approx((4000 * 0.0254, 2000 * 0.0254))
    turned = with_area(tmp_path, true_size, ImageRotation=90)
    assert info(turned, PixelSpacing=["9", "9"])["dpi"] == pytest.approx((2000 * 0.0254, 4000 * 0.0254))


def test_the_states_aspect_ratio_is_the_pictures(tmp_path: Path) -> None:
    presentation = with_area(tmp_path, area((1, 1), (COLUMNS, ROWS), PresentationPixelAspectRatio=["2", "1"]))
    assert info(presentation)["aspect"] == (2, 1)
    assert info(presentation, PixelSpacing=["1", "1"])["aspect"] == (2, 1)
    # one that agrees with the image's spacing leaves its size as it is
    assert info(presentation, PixelSpacing=["1", "0.5"])["dpi"] == pytest.approx((2000 * 0.0254, 1000 * 0.0254))


def test_a_picture_of_a_square_image_that_is_turned_has_its_pixels_turned(tmp_path: Path) -> None:
    presentation = with_area(tmp_path, area((1, 1), (4, 4)), ImageRotation=270)
    assert info(presentation, PixelSpacing=["1", "0.5"])["dpi"] == pytest.approx((1000 * 0.0254, 2000 * 0.0254))


def test_a_cine_or_sheet_of_frames_that_are_shown_in_different_sizes_is_refused(tmp_path: Path) -> None:
    with_area(tmp_path, area((2, 2), (5, 4)), frames=[2])
    cine = file(image(packed(CELLS * 3), ROWS, COLUMNS, NumberOfFrames=3, WindowCenter="2000", WindowWidth="4000"))
    instance = converter.open(cine)
    for kind in ({"cine": "apng"}, {"cine": "webp"}, {"sheet": True}):
        options = Options(presentation=str(tmp_path / "state.dcm"), **kind)  # type: ignore[arg-type]  # as they are named
        (found,) = pictures(instance, tmp_path / "out", "x", options, (1, 2, 3))
        assert isinstance(found, Failure)
        assert found.frame == 2
        assert "one picture cannot hold both" in found.reason
    assert list((tmp_path / "out").iterdir()) == []
    options = Options(presentation=str(tmp_path / "state.dcm"))
    sizes = [(found.rows, found.columns) for found in pictures(instance, tmp_path / "out", "x", options, (1, 2, 3))
             if isinstance(found, Picture)]  # fmt: skip
    assert sizes == [(ROWS, COLUMNS), (3, 4), (ROWS, COLUMNS)]


# --- annotations


def annotation(graphics: list[Any] | None = None, texts: list[Any] | None = None, **more: Any) -> Any:
    objects: dict[str, Any] = {"GraphicObjectSequence": graphics} if graphics else {"TextObjectSequence": texts}
    return item(GraphicLayer="A", **objects, **more)


def graphic(kind: str, data: list[float], units: str = "PIXEL") -> Any:
    return item(GraphicAnnotationUnits=units, GraphicDimensions=2, NumberOfGraphicPoints=len(data) // 2,
                GraphicData=data, GraphicType=kind, GraphicFilled="N")  # fmt: skip


def drawn(tmp_path: Path, *annotations: Any, **more: Any) -> Any:
    """Where annotations are, on a black picture."""
    black = [voi("60000", "2")]
    presentation = state(tmp_path, SoftcopyVOILUTSequence=black, GraphicAnnotationSequence=list(annotations), **more)
    return shown(picture(), presentation).pixels == 255


def test_a_line_lies_in_the_pixels_that_its_points_lie_in(tmp_path: Path) -> None:
    # C.10.5: 0\\0 is the outer corner of the first pixel, so 3.5 is in the middle of the fourth.
    found = drawn(tmp_path, annotation([graphic("POLYLINE", [0.5, 3.5, 9.5, 3.5])]))
    assert found[3].all()
    assert found.sum() == COLUMNS


@pytest.mark.parametrize(("rotation", "flip"), ORIENTATIONS)
def test_annotations_in_pixels_go_with_the_image(tmp_path: Path, rotation: int, flip: str) -> None:
    line = annotation([graphic("POLYLINE", [3.5, 2.5, 6.5, 2.5])])
    found = drawn(tmp_path, line, DisplayedAreaSelectionSequence=[area((2, 1), (9, 7))],
                  ImageRotation=rotation, ImageHorizontalFlip=flip)  # fmt: skip
    on_the_image = np.zeros((ROWS, COLUMNS), int)
    on_the_image[2, 3:7] = 1
    assert found.astype(int).tolist() == restated(on_the_image, 2, 1, 9, 7, rotation, flip)


def test_annotations_in_display_units_go_with_the_shown_part(tmp_path: Path) -> None:
    line = annotation([graphic("POLYLINE", [0.01, 0.5, 0.99, 0.5], "DISPLAY")])
    found = drawn(tmp_path, line, DisplayedAreaSelectionSequence=[area((2, 1), (5, 3))], ImageRotation=90)
    assert found.shape == (4, 3)
    assert np.argwhere(found).tolist() == [[2, 0], [2, 1], [2, 2]]


def test_circles_ellipses_and_points(tmp_path: Path) -> None:
    circle = drawn(tmp_path, annotation([graphic("CIRCLE", [5.5, 4.5, 5.5, 7.5])]))
    assert [tuple(place) for place in np.argwhere(circle) if place[1] == 5] == [(1, 5), (7, 5)]
    ellipse = drawn(tmp_path, annotation([graphic("ELLIPSE", [1.5, 4.5, 8.5, 4.5, 5.0, 2.5, 5.0, 6.5])]))
    assert np.argwhere(ellipse).min(axis=0).tolist() == [2, 1]
    assert np.argwhere(ellipse).max(axis=0).tolist() == [6, 8]
    point = drawn(tmp_path, annotation([graphic("POINT", [5.5, 4.5])]))
    assert point.any()


def test_words_are_upright_at_the_top_left_of_their_box(tmp_path: Path) -> None:
    words = item(BoundingBoxAnnotationUnits="DISPLAY", BoundingBoxTopLeftHandCorner=[0.0, 0.0],
                 BoundingBoxBottomRightHandCorner=[1.0, 1.0], UnformattedTextValue="LLLL")  # fmt: skip
    plain, turned = (
        drawn(tmp_path, annotation(texts=[words])),
        drawn(tmp_path, annotation(texts=[words]), ImageRotation=180),
    )
    assert plain.any()
    assert (plain == turned).all()


def test_annotations_of_other_images_and_of_whole_slides_are_left_out(tmp_path: Path) -> None:
    line = graphic("POLYLINE", [0.5, 3.5, 9.5, 3.5])
    elsewhere = annotation([line], ReferencedImageSequence=[item(ReferencedSOPInstanceUID="1.9.9")])
    slide = annotation([graphic("POLYLINE", [0.5, 3.5, 9.5, 3.5], "MATRIX")])
    assert not drawn(tmp_path, elsewhere).any()
    assert not drawn(tmp_path, slide).any()
    here = annotation([line], ReferencedImageSequence=[item(ReferencedSOPInstanceUID="1.2.3.4.5")])
    assert drawn(tmp_path, elsewhere, here).any()
