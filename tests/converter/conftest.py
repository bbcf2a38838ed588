"""What several of the converter's tests start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydicom.uid import RTPlanStorage

from tests.converter.building import ct, file, image

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six slices, a report, a note, and a slice that is cut off."""
    place = tmp_path / "in" / "series"
    place.mkdir(parents=True)
    for number in range(6):
        (place / f"{number}.dcm").write_bytes(ct(number))
    (place / "note.txt").write_text("no DICOM file")
    (place / "broken.dcm").write_bytes(ct(99)[:-10])
    plan = image(b"", 4, 6, SOPClassUID=RTPlanStorage, Modality="RTPLAN", FloatPixelData=None, PixelData=None)
    (place / "plan.dcm").write_bytes(file(plan))
    return tmp_path / "in"
