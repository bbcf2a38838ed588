"""Presentation states, shutters, annotations, orientation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from converter.errors import ConversionError
from converter.gray.presentation import presentation_state
from converter.gray.request import window_request
from tests.converter.building import item
from tests.converter.reference import Gray

if TYPE_CHECKING:
    from pathlib import Path


from tests.converter.presenting import CELLS, COLUMNS, OWN, ROWS, agrees, picture, shown, state, voi


def test_a_states_window_and_shape(tmp_path: Path) -> None:
    presentation = state(tmp_path, SoftcopyVOILUTSequence=[voi("1000", "500")], PresentationLUTShape="INVERSE")
    rendering = shown(picture(), presentation)
    assert agrees(rendering, Gray(window=(1000, 500), inverse=True))
    assert rendering.window_source == "presentation state"


def test_a_state_without_a_rescale_means_identity_whatever_the_image_says(tmp_path: Path) -> None:
    presentation = state(tmp_path, SoftcopyVOILUTSequence=[voi("1000", "500")])
    rendering = shown(picture(RescaleSlope="2", RescaleIntercept="-1024"), presentation)
    assert agrees(rendering, Gray(window=(1000, 500)))


def test_a_states_rescale(tmp_path: Path) -> None:
    presentation = state(
        tmp_path, SoftcopyVOILUTSequence=[voi("1000", "500")], RescaleSlope="0.5", RescaleIntercept="7"
    )
    assert agrees(shown(picture(), presentation), Gray(window=(1000, 500), slope=0.5, intercept=7))


def test_a_state_ignores_the_images_monochrome1(tmp_path: Path) -> None:
    presentation = state(tmp_path, SoftcopyVOILUTSequence=[voi("1000", "500")])
    rendering = shown(picture(PhotometricInterpretation="MONOCHROME1"), presentation)
    assert agrees(rendering, Gray(window=(1000, 500)))


def test_a_window_that_is_given_goes_before_the_states(tmp_path: Path) -> None:
    presentation = state(tmp_path, SoftcopyVOILUTSequence=[voi("1000", "500")])
    assert agrees(shown(picture(), presentation, window=window_request("100,80")), Gray(window=(100, 80)))


def test_a_state_without_a_window_shows_everything(tmp_path: Path) -> None:
    rendering = shown(picture(), state(tmp_path))
    assert agrees(rendering, Gray(window=(32767.5, 65535), function="LINEAR_EXACT"))
    assert rendering.window_source == "presentation state: full range"


def test_a_state_for_another_image_or_frame_does_nothing(tmp_path: Path) -> None:
    other = state(tmp_path, refers_to="1.9.9", SoftcopyVOILUTSequence=[voi("1000", "500")])
    assert agrees(shown(picture(), other), OWN)
    second = state(tmp_path, frames=[2, 3], SoftcopyVOILUTSequence=[voi("1000", "500")])
    assert agrees(shown(picture(), second), OWN)


def test_a_window_for_other_images_of_the_state_is_passed_over(tmp_path: Path) -> None:
    elsewhere = voi("1", "1", ReferencedImageSequence=[item(ReferencedSOPInstanceUID="1.9.9")])
    presentation = state(tmp_path, SoftcopyVOILUTSequence=[elsewhere, voi("1000", "500")])
    assert agrees(shown(picture(), presentation), Gray(window=(1000, 500)))


def test_a_presentation_lut(tmp_path: Path) -> None:
    entries = [65535 - n * 257 for n in range(256)]
    table = item(LUTDescriptor=[256, 0, 16])
    table.add_new(0x00283006, "US", entries)
    presentation = state(tmp_path, SoftcopyVOILUTSequence=[voi("2000", "4000")], PresentationLUTSequence=[table])
    expected = [255 - round(OWN.exact(cell)) for cell in CELLS]
    assert np.abs(shown(picture(), presentation).pixels.reshape(-1) - np.array(expected)).max() <= 1


@pytest.mark.parametrize(
    ("rotation", "flip", "expected"),
    [
        (0, "N", lambda p: p),
        (90, "N", lambda p: p[::-1].T),  # clockwise: the left column, read upwards, becomes the top row
        (180, "N", lambda p: p[::-1, ::-1]),
        (270, "N", lambda p: p.T[::-1]),
        (0, "Y", lambda p: p[:, ::-1]),
        (90, "Y", lambda p: p[::-1].T[:, ::-1]),
    ],
)
def test_rotation_is_clockwise_and_before_the_flip(tmp_path: Path, rotation: int, flip: str, expected: Any) -> None:
    presentation = state(tmp_path, SoftcopyVOILUTSequence=[voi("2000", "4000")],
                         ImageRotation=rotation, ImageHorizontalFlip=flip)  # fmt: skip
    plain = shown(picture()).pixels
    assert (shown(picture(), presentation).pixels == expected(plain)).all()


def test_a_rotation_by_another_angle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"\(0070,0042\): a rotation by 45 degrees"):
        shown(picture(), state(tmp_path, ImageRotation=45))


def inside(shape: Any) -> np.ndarray[Any, Any]:
    """Where a predicate of row and column, counted from 1, holds."""
    return np.array([[shape(row, column) for column in range(1, COLUMNS + 1)] for row in range(1, ROWS + 1)])


@pytest.mark.parametrize(
    ("attributes", "open_at"),
    [
        (
            {"ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": "2", "ShutterRightVerticalEdge": "9",
             "ShutterUpperHorizontalEdge": "1", "ShutterLowerHorizontalEdge": "6"},
            lambda row, column: 1 < row < 6 and 2 < column < 9,
        ),
        (
            {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": ["4", "5"], "RadiusOfCircularShutter": "3"},
            lambda row, column: (row - 4) ** 2 + (column - 5) ** 2 <= 9,
        ),
        (
            {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": ["1", "1", "1", "9", "8", "1"]},
            lambda row, column: row < 8 and column < 9 - (row - 1) * 8 / 7,
        ),
    ],
    ids=["rectangle", "circle", "polygon"],
)  # fmt: skip
def test_shutters(tmp_path: Path, attributes: dict[str, Any], open_at: Any) -> None:
    presentation = state(tmp_path, SoftcopyVOILUTSequence=[voi("2000", "4000")],
                         ShutterPresentationValue=65535, **attributes)  # fmt: skip
    found, plain = shown(picture(), presentation).pixels, shown(picture()).pixels
    assert (found == np.where(inside(open_at), plain, 255)).all()


def test_a_shutter_that_is_not_complete_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"\(0018,1600\): the shutter's shape is not complete"):
        shown(picture(), state(tmp_path, ShutterShape="CIRCULAR"))


def test_what_is_no_presentation_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ct.dcm"
    path.write_bytes(picture())
    with pytest.raises(ConversionError, match="this is no presentation state"):
        presentation_state(str(path))


def test_lines_and_words_of_a_state(tmp_path: Path) -> None:
    line = item(GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, NumberOfGraphicPoints=2,
                GraphicData=[1.0, 4.0, 10.0, 4.0], GraphicType="POLYLINE", GraphicFilled="N")  # fmt: skip
    circle = item(GraphicAnnotationUnits="DISPLAY", GraphicDimensions=2, NumberOfGraphicPoints=2,
                  GraphicData=[0.5, 0.5, 0.5, 0.9], GraphicType="CIRCLE", GraphicFilled="N")  # fmt: skip
    ellipse = item(
        GraphicAnnotationUnits="PIXEL",
        GraphicDimensions=2,
        NumberOfGraphicPoints=4,
        GraphicData=[2.0, 4.0, 8.0, 4.0, 5.0, 2.0, 5.0, 6.0],
        GraphicType="ELLIPSE",
        GraphicFilled="N",
    )
    words = item(AnchorPointAnnotationUnits="PIXEL", AnchorPoint=[1.0, 1.0], UnformattedTextValue="L")
    for graphics, texts in (([line], []), ([circle, ellipse], []), ([], [words])):
        annotation = item(GraphicLayer="A")
        annotation.update(item(**({"GraphicObjectSequence": graphics} if graphics else {"TextObjectSequence": texts})))
        presentation = state(
            tmp_path, SoftcopyVOILUTSequence=[voi("2000", "4000")], GraphicAnnotationSequence=[annotation]
        )
        plain, found = shown(picture()).pixels, shown(picture(), presentation).pixels
        changed = found != plain
        assert changed.any()
        assert (found[changed] == 255).all()
        if graphics == [line]:
            assert changed[3].sum() == (plain[3] != 255).sum()
            assert not np.delete(changed, 3, axis=0).any()
