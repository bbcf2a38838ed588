"""DICOM files for the tests, written by pydicom."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian

if TYPE_CHECKING:
    from collections.abc import Sequence

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
CT = "1.2.840.10008.5.1.4.1.1.2"
_CODES = {8: "B", 16: "H", 32: "L"}


def packed(cells: Sequence[int | float], bits: int = 16, *, big_endian: bool = False, code: str = "") -> bytes:
    """Cells as bytes; negative ones in two's complement."""
    order = ">" if big_endian else "<"
    kind = code or _CODES[bits]
    values = cells if kind in "fd" else [int(cell) & ((1 << bits) - 1) for cell in cells]
    return struct.pack(f"{order}{len(cells)}{kind}", *values)


def item(**attributes: Any) -> Dataset:
    """A sequence item; attributes that are lists of items become sequences."""
    found = Dataset()
    for keyword, value in attributes.items():
        is_items = isinstance(value, list) and value and isinstance(value[0], Dataset)
        setattr(found, keyword, Items(value) if is_items else value)
    return found


def image(pixels: bytes, rows: int = 2, columns: int = 0, **attributes: Any) -> Dataset:
    """An image with sensible attributes, those given in their place; None leaves an attribute out."""
    defaults: dict[str, Any] = {
        "SOPClassUID": CT,
        "SOPInstanceUID": "1.2.3.4.5",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.4",
        "Modality": "CT",
        "PatientName": "Test^Case",
        "PatientID": "42",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": (attributes.get("BitsStored") or 16) - 1,
        "PixelRepresentation": 0,
    }
    merged = {**defaults, **attributes}
    found = item(**{key: value for key, value in merged.items() if value is not None})
    if "FloatPixelData" not in merged and "DoubleFloatPixelData" not in merged:
        found.PixelData = pixels
    return found


def file(dataset: Dataset, syntax: str = ExplicitVRLittleEndian, *, vr: str = "OW") -> bytes:
    """The dataset as a DICOM file."""
    uid = pydicom.uid.UID(syntax)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", CT)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3.4.5")
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OB" if uid.is_compressed and not uid.is_deflated else vr
        dataset["PixelData"].is_undefined_length = uid.is_encapsulated
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def encapsulated(frames: Sequence[bytes], syntax: str, *, table: bool = True, **attributes: Any) -> bytes:
    """An encapsulated image, a fragment a frame."""
    found = image(encapsulate(list(frames), has_bot=table), **attributes)
    return file(found, syntax)


CT_CELLS = list(range(0, 2400, 100))


def ct(number: int = 1, frames: int = 1, **attributes: Any) -> bytes:
    """A small CT slice, or several frames of it."""
    more = {"NumberOfFrames": frames} if frames > 1 else {}
    return file(image(packed(CT_CELLS * frames), 4, 6, SOPInstanceUID=f"1.2.3.4.{number}", InstanceNumber=number,
                      WindowCenter="1200", WindowWidth="2400", **more, **attributes))  # fmt: skip
