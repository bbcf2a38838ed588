"""An object without pixels is the same to `gurney convert` and to an appliance: no image by its nature, or damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydicom.uid import (
    BasicTextSRStorage,
    CTImageStorage,
    EncapsulatedPDFStorage,
    RTPlanStorage,
    SegmentationStorage,
    TwelveLeadECGWaveformStorage,
)

from appliance.pictures.drawing import draw
from converter.batch import convert
from converter.errors import ConversionError, NotAnImage
from converter.instance import open_instance
from converter.results import Failure
from converter.target import Target
from tests.converter.building import file, image
from tests.converter.running import write

if TYPE_CHECKING:
    from pathlib import Path

BY_NATURE = {
    "plan": {"SOPClassUID": RTPlanStorage},
    "report": {"SOPClassUID": BasicTextSRStorage, "Rows": None, "Columns": None},
    "waveform": {"SOPClassUID": TwelveLeadECGWaveformStorage},
    "document": {"SOPClassUID": EncapsulatedPDFStorage},
    "pixels elsewhere": {"SOPClassUID": CTImageStorage, "PixelDataProviderURL": "http://127.0.0.1/jpip"},
}
DAMAGED = {"CT": {"SOPClassUID": CTImageStorage}, "segmentation": {"SOPClassUID": SegmentationStorage}}


@pytest.fixture
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    made = image(b"", 4, 6, FloatPixelData=None, PixelData=None, **request.param)
    write(tmp_path / "a.dcm", file(made))
    return tmp_path / "a.dcm"


@pytest.mark.parametrize("path", BY_NATURE.values(), ids=BY_NATURE, indirect=True)
def test_no_image_by_its_nature_is_no_fault(path: Path, tmp_path: Path) -> None:
    drawn = draw(path, tmp_path, "a")
    assert (drawn.is_image, drawn.reason, drawn.pictures) == (False, "", ())
    with pytest.raises(NotAnImage):
        open_instance(path)


@pytest.mark.parametrize("path", DAMAGED.values(), ids=DAMAGED, indirect=True)
def test_an_image_whose_pixels_are_gone_is_damaged(path: Path, tmp_path: Path) -> None:
    """As of a transfer that broke off between two elements."""
    drawn = draw(path, tmp_path, "a")
    (failure,) = convert([path], Target(tmp_path / "out"))
    assert isinstance(failure, Failure)
    assert failure.reason in drawn.reason
    assert "(7FE0,0010)" in drawn.reason
    with pytest.raises(ConversionError, match="no pixel data") as told:
        open_instance(path)
    assert not isinstance(told.value, NotAnImage)
