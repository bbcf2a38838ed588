"""DCMTK and highdicom over the same files: they agree within 1, or the test says why they do not."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

import converter
from tests.converter.building import SHIPPED, file, image, item, packed
from tests.converter.presenting import COLUMNS, ROWS, picture, shown, state, voi

if TYPE_CHECKING:
    from pathlib import Path

# What dcmj2pnm 3.6.7 reads and windows; JPEG 2000, float and functional groups it does not.
WINDOWED = [
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_expb.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_padded.dcm",
    "examples_overlay.dcm",
    "dicomdirtests/77654033/CR1/6154",
    "dicomdirtests/77654033/CT2/17106",
    "dicomdirtests/98892001/CT2N/6293",
    "dicomdirtests/98892003/MR1/4919",
]
COLORED = [
    "ExplVR_BigEnd.dcm",
    "SC_rgb_rle.dcm",
    "SC_rgb_dcmtk_+eb+cr.dcm",
    "examples_rgb_color.dcm",
    "examples_palette.dcm",
]

dcmtk = pytest.mark.skipif(shutil.which("dcmj2pnm") is None, reason="DCMTK is not installed")


def _program(path: Path) -> str:
    """DCMTK has a program for each family of codecs."""
    return "dcml2pnm" if "jpeg_ls" in path.name else "dcmj2pnm"


def by_dcmtk(path: Path, out: Path, *options: str) -> np.ndarray[Any, Any]:
    """DCMTK's picture without overlays, which it would burn in."""
    subprocess.run([_program(path), "-O", "+on", *options, str(path), str(out)], check=True, capture_output=True)
    return np.asarray(Image.open(out))


def ours(path: Path | bytes, **more: Any) -> np.ndarray[Any, Any]:
    return converter.render(converter.open(path).frame(1), **more).pixels


@dcmtk
@pytest.mark.parametrize("name", WINDOWED)
def test_dcmtk_agrees_on_gray(name: str, tmp_path: Path) -> None:
    path = SHIPPED / name
    window = converter.render(converter.open(path).frame(1)).window
    assert window
    if name == "CT_small.dcm":  # it has no window; both get the same one
        from converter.gray.request import window_request

        theirs = by_dcmtk(path, tmp_path / "x.png", "+Ww", "40", "400").astype(int)
        mine = ours(path, window=window_request("40,400")).astype(int)
    else:
        theirs = by_dcmtk(path, tmp_path / "x.png", "+Wi", "1").astype(int)
        mine = ours(path).astype(int)
    # DCMTK cuts the real number off where the standard's is rounded to nearest, so it is up to 1 darker.
    assert np.abs(mine - theirs).max() <= 1
    assert (mine >= theirs).mean() > 0.99


@dcmtk
@pytest.mark.parametrize("name", COLORED)
def test_dcmtk_agrees_on_colour(name: str, tmp_path: Path) -> None:
    theirs = by_dcmtk(SHIPPED / name, tmp_path / "x.png")
    assert np.abs(ours(SHIPPED / name).astype(int) - theirs.astype(int)).max() <= 1


@dcmtk
@pytest.mark.parametrize("attributes", [{"PhotometricInterpretation": "MONOCHROME1"}, {}, {"RescaleSlope": "-1"}])
def test_dcmtk_agrees_on_what_is_built_here(attributes: dict[str, Any], tmp_path: Path) -> None:
    cells = list(range(0, 4096, 16))
    merged = {"BitsStored": 12, "RescaleSlope": "1", "RescaleIntercept": "0", **attributes}
    low = -4096 if merged["RescaleSlope"] == "-1" else 0
    content = file(image(packed(cells), 16, 16, WindowCenter=str(low + 2000), WindowWidth="3000", **merged))
    (tmp_path / "a.dcm").write_bytes(content)
    assert np.abs(ours(content).astype(int) - by_dcmtk(tmp_path / "a.dcm", tmp_path / "x.png", "+Wi", "1")).max() <= 1


@pytest.mark.skipif(shutil.which("dcmp2pgm") is None, reason="DCMTK is not installed")
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"PresentationLUTShape": "INVERSE"},
        {"RescaleSlope": "0.5", "RescaleIntercept": "7", "RescaleType": "US"},
        {"ImageRotation": 90, "ImageHorizontalFlip": "N"},
        {"ImageRotation": 90, "ImageHorizontalFlip": "Y"},
        {"ImageRotation": 180, "ImageHorizontalFlip": "Y"},
        {"ImageRotation": 270, "ImageHorizontalFlip": "N"},
    ],
    ids=str,
)
def test_dcmtk_agrees_on_presentation_states(attributes: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "image.dcm").write_bytes(picture())
    everything = item(
        DisplayedAreaTopLeftHandCorner=[1, 1],
        DisplayedAreaBottomRightHandCorner=[COLUMNS, ROWS],
        PresentationSizeMode="SCALE TO FIT",
        PresentationPixelAspectRatio=["1", "1"],
    )
    required = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.8", "PatientName": "A", "PatientID": "1",
                "InstanceNumber": 1, "ContentLabel": "A", "ContentDescription": "", "ContentCreatorName": "A",
                "PresentationCreationDate": "20200101", "PresentationCreationTime": "10"}  # fmt: skip
    presentation = state(tmp_path, SoftcopyVOILUTSequence=[voi("2000", "3000")],
                         DisplayedAreaSelectionSequence=[everything], **{**required, **attributes})  # fmt: skip
    files = (tmp_path / name for name in ("state.dcm", "image.dcm", "x.pgm"))
    subprocess.run(["dcmp2pgm", "-p", *map(str, files)], check=True, capture_output=True)
    theirs = np.asarray(Image.open(tmp_path / "x.pgm")).astype(int)
    assert np.abs(shown(picture(), presentation).pixels - theirs).max() <= 1


@dcmtk
def test_dcmtk_is_wrong_about_small_slopes(tmp_path: Path) -> None:
    """It keeps whole numbers after the modality LUT, so a slope of 0.00001 leaves it two values of many."""
    cells = list(range(0, 65536, 256))
    content = file(image(packed(cells), 16, 16, RescaleSlope="0.00001", RescaleIntercept="0", WindowCenter="0.825",
                         WindowWidth="1.66"))  # fmt: skip
    (tmp_path / "a.dcm").write_bytes(content)
    theirs = by_dcmtk(tmp_path / "a.dcm", tmp_path / "x.png", "+Wi", "1")
    assert len(np.unique(theirs)) <= 4
    assert len(np.unique(ours(content))) > 90


def enhanced() -> tuple[bytes, list[np.ndarray[Any, Any]]]:
    """An enhanced MR of three frames, each with a window and a slope of its own."""
    frames = [np.arange(n, n + 64, dtype=np.uint16).reshape(8, 8) * 20 for n in (0, 10, 30)]
    per_frame = [
        item(
            FrameVOILUTSequence=[item(WindowCenter=center, WindowWidth=width, VOILUTFunction=function)],
            PixelValueTransformationSequence=[item(RescaleSlope=slope, RescaleIntercept="3", RescaleType="US")],
        )
        for center, width, function, slope in (
            ("600", "900", "LINEAR", "1"),
            ("700", "500", "LINEAR_EXACT", "0.5"),
            ("900", "1200", "SIGMOID", "2"),
        )
    ]
    dataset = image(b"".join(frame.tobytes() for frame in frames), 8, 8, NumberOfFrames=3,
                    SOPClassUID="1.2.840.10008.5.1.4.1.1.4.1", Modality="MR", BitsStored=16,
                    SharedFunctionalGroupsSequence=[item()], PerFrameFunctionalGroupsSequence=per_frame)  # fmt: skip
    return file(dataset), frames


def test_highdicom_agrees_on_windows_and_slopes_of_frames(tmp_path: Path) -> None:
    """It is the peer that knows functional groups, SIGMOID and LINEAR_EXACT."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        highdicom = pytest.importorskip("highdicom")
        content, _ = enhanced()
        (tmp_path / "a.dcm").write_bytes(content)
        theirs = highdicom.imread(tmp_path / "a.dcm")
        instance = converter.open(content)
        for number in (1, 2, 3):
            expected = theirs.get_frame(
                number, apply_voi_transform=True, apply_modality_transform=True, voi_output_range=(0, 255)
            )
            assert np.abs(converter.render(instance.frame(number)).pixels - expected).max() <= 1
