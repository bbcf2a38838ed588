"""The test image of an acceptance: a small picture that says what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 64


def acceptance_image(path: Path, patient_id: str) -> Path:
    """Write a grey ramp (PS3.3 A.8.1, Secondary Capture) with UIDs that are the same for the same patient each time."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[patient_id, "instance"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    image.SOPClassUID, image.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    image.StudyInstanceUID = generate_uid(entropy_srcs=[patient_id, "study"])
    image.SeriesInstanceUID = generate_uid(entropy_srcs=[patient_id, "series"])
    image.PatientID, image.PatientName = patient_id, "Gurney^Verify"
    for keyword in ("PatientBirthDate", "PatientSex", "StudyTime", "AccessionNumber", "ReferringPhysicianName"):
        setattr(image, keyword, "")
    image.StudyDate, image.StudyID, image.StudyDescription = "20260101", "1", "Acceptance test"
    image.Modality, image.ConversionType = "OT", "SYN"
    image.SeriesNumber = image.InstanceNumber = 1
    image.Rows = image.Columns = SIDE
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit = 7
    image.PixelData = bytes((4 * column) % 256 for _ in range(SIDE) for column in range(SIDE))
    image.save_as(path, enforce_file_format=True)
    return path
