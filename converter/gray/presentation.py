"""Grayscale softcopy presentation states: how someone chose to show images (PS3.3 A.33.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from converter.dicom import part10, tags
from converter.errors import ConversionError
from converter.gray.choice import Voi, full_range, modality
from converter.gray.lut import Lut, lut_of
from converter.gray.window import windows

if TYPE_CHECKING:
    from converter.arrays import Array
    from converter.dicom.header import Header
    from converter.gray.table import Rescale
    from converter.pixels.format import PixelFormat


@dataclass(frozen=True, slots=True, eq=False)
class PresentationState:
    """A presentation state over its header."""

    header: Header

    def applies(self, sop_instance_uid: str, frame: int) -> bool:
        """Whether it refers to this frame of this image (PS3.3 C.11.11)."""
        series = self.header.items(tags.REFERENCED_SERIES)
        images = [image for item in series for image in item.items(tags.REFERENCED_IMAGES)]
        return any(_refers(image, sop_instance_uid, frame) for image in images)

    def modality(self) -> Rescale | Lut:
        """Its own modality transformation; none means identity, whatever the image says (PS3.4 N.2.1.1)."""
        return modality(self.header, 1)

    def voi(self, sop_instance_uid: str, frame: int, pixels: PixelFormat) -> Voi:
        """The window or VOI LUT for a frame; none means the whole range (PS3.3 C.11.8)."""
        for item in self.header.items(tags.SOFTCOPY_VOI_LUT):
            images = item.items(tags.REFERENCED_IMAGES)
            if images and not any(_refers(image, sop_instance_uid, frame) for image in images):
                continue
            table = item.first_item(tags.VOI_LUT_SEQUENCE)
            if table is not None:
                return Voi(lut_of(table), "presentation state: VOI LUT")
            legal = [window for window in windows(item) if window.legal]
            if legal:
                return Voi(legal[0], "presentation state")
        return Voi(full_range(pixels, self.modality()), "presentation state: full range")

    def presentation_lut(self) -> Lut | None:
        """The Presentation LUT, or None where it has a shape (PS3.3 C.11.6)."""
        item = self.header.first_item(tags.PRESENTATION_LUT_SEQUENCE)
        return None if item is None else lut_of(item)

    @property
    def inverse(self) -> bool:
        """Whether its Presentation LUT Shape is INVERSE."""
        return self.header.text(tags.PRESENTATION_LUT_SHAPE) == "INVERSE"

    def activates(self, group: int) -> bool:
        """Whether it shows the image's overlay plane of this group (PS3.3 C.11.7)."""
        return bool(self.header.text(tags.Tag(group << 16 | 0x1001, "CS", "OverlayActivationLayer")))

    def oriented(self, pixels: Array) -> Array:
        """The picture turned clockwise, then flipped, as the state says.

        Raises
        ------
        ConversionError
            Where the rotation is no quarter turn.

        References
        ----------
        PS3.3 C.10.6
        """
        rotation = self.header.integer(tags.IMAGE_ROTATION) or 0
        if rotation % 90:
            raise ConversionError(f"a rotation by {rotation} degrees is not allowed", tag=tags.IMAGE_ROTATION)
        turned = np.rot90(pixels, -(rotation // 90) % 4)
        return turned[:, ::-1] if self.header.text(tags.IMAGE_HORIZONTAL_FLIP) == "Y" else turned


def _refers(image: Header, sop_instance_uid: str, frame: int) -> bool:
    frames = image.numbers(tags.REFERENCED_FRAME_NUMBER)
    return image.text(tags.REFERENCED_SOP_INSTANCE_UID) == sop_instance_uid and (not frames or frame in frames)


@lru_cache(maxsize=8)
def presentation_state(path: str) -> PresentationState:
    """The presentation state of a file.

    Raises
    ------
    ConversionError
        Where the file is none.
    """
    header = part10.read(path).header
    if not header.text(tags.SOP_CLASS_UID).startswith("1.2.840.10008.5.1.4.1.1.11."):
        raise ConversionError("this is no presentation state", file=path, tag=tags.SOP_CLASS_UID)
    return PresentationState(header)
