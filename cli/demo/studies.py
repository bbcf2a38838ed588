"""What the demonstration sends: the user's own DICOM files, or three studies made from those that pydicom ships."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pydicom
from pydicom.data import get_testdata_file
from pydicom.misc import is_dicom

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: A CT, an MR, and a colour ultrasound of 30 frames (JPEG), all within the wheel of pydicom.
SHIPPED = ("CT_small.dcm", "MR_small.dcm", "examples_ybr_color.dcm")

#: The three come from three anonymous patients; at the registration desk of the demonstration they are one.
PATIENT = {
    "PatientID": "KONGU-0001",
    "PatientName": "Kumaran^Selvi",
    "PatientBirthDate": "19700101",
    "PatientSex": "F",
}


def shipped_instances(folder: Path) -> list[Path]:
    """Write the three shipped studies, as one patient's, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_registered(name, folder) for name in SHIPPED]


def _registered(name: str, folder: Path) -> Path:
    """One shipped file with the demonstration's patient in it; pixels and all else stay as they are."""
    source = get_testdata_file(name, download=False)
    assert isinstance(source, str), f"pydicom no longer ships {name}"
    dataset = pydicom.dcmread(source)
    for keyword, value in PATIENT.items():
        setattr(dataset, keyword, value)
    dataset.save_as(folder / name)
    return folder / name


def own_instances(paths: Iterable[Path]) -> list[Path]:
    """Every DICOM file among the user's files and folders, unchanged.

    Raises
    ------
    FileNotFoundError
        When nothing among them is a DICOM file.
    """
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    found = [file for file in files if file.is_file() and is_dicom(file)]
    if not found:
        raise FileNotFoundError(2, "No DICOM file here", ", ".join(map(str, paths)))
    return found
