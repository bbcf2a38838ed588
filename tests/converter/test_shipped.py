"""Every file that pydicom ships: right, or refused for a reason that stands here."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
from pydicom.uid import UID

import converter
from converter.errors import ConversionError, NotAnImage, NotDicomError
from tests.converter.building import SHIPPED

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(path for path in SHIPPED.rglob("*") if path.is_file() and path.suffix != ".py")

REFUSED = {
    "badVR.dcm": "NumberOfFrames holds no IS value",
    "JPEG2000-embedded-sequence-delimiter.dcm": "the compressed picture is 1024 x",
    "meta_missing_tsyntax.dcm": "BitsAllocated is missing",
    "nested_priv_SQ.dcm": "BitsAllocated is missing",
    "rtplan_truncated.dcm": "the file ends within this element",
    "MR_truncated.dcm": "8192 bytes are needed, 8130 are there",
}
NOT_DICOM = {
    "README",
    "README.txt",
    "crayons.icc",
    "no_meta.dcm",  # its first element begins one byte late
    "rtplan.dump",
    "rtstruct.dump",
    "test1.json",
    "test_PN.json",
    "zipMR.gz",
}

# Files that pydicom cannot decode with the decoders installed here, or decodes with another's rounding; each is looked
# at by another test: codecs in test_frames.py, colours below.
OTHERWISE = {"GDCMJ2K_TextGBR.dcm", "JPEG-lossy.dcm", "JPGExtended.dcm", "SC_rgb_jpeg_gdcm.dcm"}


def outcome(path: Path) -> str:
    """`image`, `no image`, `no DICOM`, or the reason of a refusal."""
    try:
        for frame in converter.frames(converter.open(path)):
            converter.render(frame)
    except NotDicomError:
        return "no DICOM"
    except NotAnImage:
        return "no image"
    except ConversionError as error:
        return error.reason
    return "image"


@pytest.mark.parametrize("path", FILES, ids=lambda path: "-".join(path.parts[-2:]))
def test_every_file_is_right_or_refused(path: Path) -> None:
    found = outcome(path)
    if path.name in REFUSED:
        assert REFUSED[path.name] in found
    elif path.name in NOT_DICOM:
        assert found == "no DICOM"
    else:
        assert found.rpartition(": ")[2] == expected_of(path)


def expected_of(path: Path) -> str:
    """What a file is by pydicom: an image, an image whose pixels were taken out to make it smaller, or no image."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, force=True)
    if any(keyword in dataset for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        return "image"
    kind = UID(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID", "")).name
    gone = "there is no pixel data; the file was cut off, or its pixels were taken out"
    return gone if kind.endswith("Image Storage") else "no image"


DECODED = [path for path in FILES if path.suffix == ".dcm" and path.name not in OTHERWISE]


@pytest.mark.parametrize("path", DECODED, ids=lambda path: path.name)
def test_stored_values_are_pydicoms(path: Path) -> None:
    if outcome(path) != "image":
        pytest.skip("no image")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, force=True)
        theirs = dataset.pixel_array
    instance = converter.open(path)
    theirs = theirs if instance.frame_count > 1 else theirs[None]
    for frame, expected in zip(converter.frames(instance), theirs, strict=True):
        if frame.pixels.samples == 3:
            # lossy JPEG: another chroma upsampling, another inverse transform; the odd one is 3 x 3 pixels
            tolerance = 40 if "odd_jpeg" in path.name else 8 if frame.instance.file.syntax.codec == "jpeg" else 1
            difference = np.abs(converter.render(frame).pixels.astype(int) - _as_8_bits(expected, frame))
            assert np.percentile(difference, 99) <= tolerance
        else:
            assert (frame.stored == expected).all()


def _as_8_bits(pixels: np.ndarray, frame: converter.instance.Frame) -> np.ndarray:  # type: ignore[type-arg]
    top = (1 << frame.instance.pixels.bits_stored) - 1
    return pixels.astype(int) if top == 255 else np.floor(pixels / top * 255 + 0.5).astype(int)


STRIPED = ("SC_rgb_dcmtk", "SC_rgb_rle", "SC_rgb_gdcm", "SC_rgb_jls", "SC_ybr", "SC_rgb_jpeg_gdcm")


def test_the_red_is_red_in_every_encoding() -> None:
    """The stripes of the SC_rgb files: red first, whatever photometric, planar configuration or codec."""
    found = 0
    for path in FILES:
        if path.name.startswith(STRIPED):
            pixels = converter.render(converter.open(path).frame(1)).pixels.astype(int)
            assert np.abs(pixels[5, 50] - [255, 0, 0]).max() <= 6, path.name
            assert np.abs(pixels[25, 50] - [0, 255, 0]).max() <= 6, path.name
            assert np.abs(pixels[45, 50] - [0, 0, 255]).max() <= 6, path.name
            found += 1
    assert found >= 15
