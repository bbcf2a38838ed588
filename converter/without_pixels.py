"""What an object without pixels is: no image by its nature, or an image whose pixels are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.dicom import tags
from converter.errors import ConversionError, NotAnImage

if TYPE_CHECKING:
    from converter.dicom.part10 import DicomFile

#: Storage classes of images whose names do not say so.
_IMAGES = frozenset({"Enhanced US Volume Storage", "Parametric Map Storage", "Segmentation Storage"})
#: (0028,7FE0) Pixel Data Provider URL, in place of pixels that lie elsewhere (PS3.5 8.4).
_PROVIDER_URL = 0x00287FE0


def no_pixels(file: DicomFile) -> ConversionError:
    """Why a file has no pixels: `NotAnImage`, or an error that calls it damaged, as of a transfer that broke off."""
    from pydicom import config  # for the names of SOP classes; most runs meet no object without pixels
    from pydicom.uid import UID

    name = UID(_sop_class(file), config.IGNORE).name  # what is no UID has no name, and a warning would only confuse
    if ("Image Storage" in name or name in _IMAGES) and file.header.element(_PROVIDER_URL) is None:
        reason = f"{name}: there is no pixel data; the file was cut off, or its pixels were taken out"
        return ConversionError(reason, file=file.name, tag=tags.PIXEL_DATA)
    return NotAnImage(f"{_kind_of(file)}: the object holds no image", file=file.name)


def _sop_class(file: DicomFile) -> str:
    return file.header.text(tags.SOP_CLASS_UID) or file.meta.text(tags.MEDIA_STORAGE_SOP_CLASS_UID)


def _kind_of(file: DicomFile) -> str:
    """What it is, in a word: its modality or SOP class."""
    return file.header.text(tags.MODALITY) or _sop_class(file) or "unknown kind"
