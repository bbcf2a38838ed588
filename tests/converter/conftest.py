"""What several of the converter's tests start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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
    (place / "plan.dcm").write_bytes(file(image(b"", 4, 6, Modality="RTPLAN", FloatPixelData=None, PixelData=None)))
    return tmp_path / "in"
