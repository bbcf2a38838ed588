"""Presentation states, shutters, annotations, orientation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from converter.errors import ConversionError
from converter.gray.request import window_request
from converter.presentation.state import presentation_state
from tests.converter.building import file, image, item
from tests.converter.reference import Gray

if TYPE_CHECKING:
    from pathlib import Path

from tests.converter.presenting import CELLS, COLUMNS, GSPS, OWN, ROWS, agrees, picture, shown, state, voi


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


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (4, "blending"),
        (5, "XA/XRF grayscale"),
        (6, "grayscale planar MPR volumetric"),
        (8, "advanced blending"),
        (11, "multiple volume rendering volumetric"),
        (12, "variable modality LUT"),
    ],
)
def test_states_of_other_kinds_are_refused_by_name(tmp_path: Path, number: int, name: str) -> None:
    with pytest.raises(ConversionError, match=rf"\(0008,0016\): a {name} presentation state is not applied"):
        state(tmp_path, SOPClassUID=f"{GSPS[:-1]}{number}")


def test_a_state_that_subtracts_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"\(0028,6100\): the presentation state subtracts frames"):
        state(tmp_path, MaskSubtractionSequence=[item(MaskOperation="AVG_SUB", MaskFrameNumbers=[1])])


def test_a_grayscale_state_shows_the_part_of_a_colour_image_and_says_so(tmp_path: Path) -> None:
    samples = bytes(range(ROWS * COLUMNS * 3))
    content = file(image(samples, ROWS, COLUMNS, SamplesPerPixel=3, PhotometricInterpretation="RGB",
                         PlanarConfiguration=0, BitsAllocated=8, BitsStored=8), vr="OB")  # fmt: skip
    rendering = shown(content, state(tmp_path, ImageHorizontalFlip="Y", PresentationLUTShape="INVERSE"))
    assert rendering.warnings == ("a grayscale presentation state leaves colours alone",)
    assert (rendering.pixels == shown(content).pixels[:, ::-1]).all()
