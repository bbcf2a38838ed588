"""Softcopy presentation states: grayscale, colour and pseudo-colour (PS3.3 A.33.1 to A.33.3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from converter.dicom import part10, tags
from converter.errors import ConversionError
from converter.gray.choice import Voi, full_range, modality
from converter.gray.lut import Lut, lut_of
from converter.gray.window import windows
from converter.presentation.view import View, view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from converter.dicom.header import Header
    from converter.gray.table import Rescale
    from converter.pixels.format import PixelFormat

GRAY, COLOR, PSEUDO_COLOR = "grayscale", "colour", "pseudo-colour"
_ROOT = "1.2.840.10008.5.1.4.1.1.11."
_APPLIED = {f"{_ROOT}1": GRAY, f"{_ROOT}2": COLOR, f"{_ROOT}3": PSEUDO_COLOR}
# PS3.4 B.5: what these show is made of several images, of volumes, or by subtraction.
_REFUSED = {
    f"{_ROOT}4": "blending",
    f"{_ROOT}5": "XA/XRF grayscale",
    f"{_ROOT}6": "grayscale planar MPR volumetric",
    f"{_ROOT}7": "compositing planar MPR volumetric",
    f"{_ROOT}8": "advanced blending",
    f"{_ROOT}9": "volume rendering volumetric",
    f"{_ROOT}10": "segmented volume rendering volumetric",
    f"{_ROOT}11": "multiple volume rendering volumetric",
    f"{_ROOT}12": "variable modality LUT",
}


@dataclass(frozen=True, slots=True, eq=False)
class PresentationState:
    """A presentation state over its header."""

    header: Header

    @property
    def kind(self) -> str:
        """`"grayscale"`, `"colour"` or `"pseudo-colour"`."""
        return _APPLIED[self.header.text(tags.SOP_CLASS_UID)]

    def applies(self, sop_instance_uid: str, frame: int) -> bool:
        """Whether it refers to this frame of this image (PS3.3 C.11.11)."""
        series = self.header.items(tags.REFERENCED_SERIES)
        images = [image for item in series for image in item.items(tags.REFERENCED_IMAGES)]
        return any(_refers(image, sop_instance_uid, frame) for image in images)

    def items(self, tag: int, sop_instance_uid: str, frame: int) -> Iterator[Header]:
        """Items of a sequence that are meant for this frame: those that name it, and those that name none."""
        for item in self.header.items(tag):
            images = item.items(tags.REFERENCED_IMAGES)
            if not images or any(_refers(image, sop_instance_uid, frame) for image in images):
                yield item

    def modality(self) -> Rescale | Lut:
        """Its own modality transformation; none means identity, whatever the image says (PS3.4 N.2.1.1)."""
        return modality(self.header, 1)

    def voi(self, sop_instance_uid: str, frame: int, pixels: PixelFormat) -> Voi:
        """The window or VOI LUT for a frame; none means the whole range (PS3.3 C.11.8, PS3.4 N.2.1.3)."""
        for item in self.items(tags.SOFTCOPY_VOI_LUT, sop_instance_uid, frame):
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
        """Whether the overlay plane of this group is shown (PS3.3 C.11.7)."""
        return bool(self.header.text(tags.Tag(group << 16 | 0x1001, "CS", "OverlayActivationLayer")))

    def view(self, sop_instance_uid: str, frame: int, rows: int, columns: int) -> View:
        """What part of a frame is shown, and how it is turned.

        An area of a whole slide (VOLUME) is none of a tile, which is then shown whole.

        Raises
        ------
        ConversionError
            Where the displayed area or the rotation is not legal.
        """
        areas = self.items(tags.DISPLAYED_AREAS, sop_instance_uid, frame)
        of_frames = (area for area in areas if area.text(tags.PIXEL_ORIGIN_INTERPRETATION) != "VOLUME")
        return view(self.header, next(of_frames, None), rows, columns)


def _refers(image: Header, sop_instance_uid: str, frame: int) -> bool:
    frames = image.numbers(tags.REFERENCED_FRAME_NUMBER)
    return image.text(tags.REFERENCED_SOP_INSTANCE_UID) == sop_instance_uid and (not frames or frame in frames)


@lru_cache(maxsize=8)
def presentation_state(path: str) -> PresentationState:
    """The presentation state of a file.

    Raises
    ------
    ConversionError
        Where the file is none, or one of a kind that is not applied.
    """
    header = part10.read(path).header
    sop_class = header.text(tags.SOP_CLASS_UID)
    if sop_class in _REFUSED:
        raise ConversionError(
            f"a {_REFUSED[sop_class]} presentation state is not applied; grayscale, colour and pseudo-colour ones are",
            file=path,
            tag=tags.SOP_CLASS_UID,
        )
    if sop_class not in _APPLIED:
        raise ConversionError("this is no presentation state", file=path, tag=tags.SOP_CLASS_UID)
    if header.items(tags.MASK_SUBTRACTION_SEQUENCE):
        raise ConversionError(
            "the presentation state subtracts frames, which is not done", file=path, tag=tags.MASK_SUBTRACTION_SEQUENCE
        )
    return PresentationState(header)
