"""Presentation states made wrong, applied to a right image."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import converter
from converter.errors import ConversionError
from converter.presentation.state import presentation_state
from tests.converter.building import ct, file, item, packed
from tests.converter.mutation import mutated
from tests.converter.presenting import GSPS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SECONDS = 10.0


def states() -> list[bytes]:
    """One of each kind, with everything that is applied."""
    return [file(_full(f"{GSPS[:-1]}{number}")) for number in (1, 1, 2, 3)]


def _full(sop_class: str) -> Any:
    reference = item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID="1.2.3.4.1")
    images = [item(ReferencedSOPInstanceUID="1.2.3.4.1")]
    graphics = [
        item(GraphicAnnotationUnits=units, GraphicDimensions=2, NumberOfGraphicPoints=len(data) // 2,
             GraphicData=data, GraphicType=kind, GraphicFilled="N")
        for kind, units, data in (
            ("POLYLINE", "PIXEL", [0.5, 0.5, 3.0, 3.0]),
            ("CIRCLE", "DISPLAY", [0.5, 0.5, 0.9, 0.9]),
            ("ELLIPSE", "PIXEL", [0.0, 1.0, 4.0, 1.0, 2.0, 0.0, 2.0, 3.0]),
            ("POINT", "PIXEL", [2.0, 2.0]),
        )
    ]  # fmt: skip
    text = item(BoundingBoxAnnotationUnits="DISPLAY", BoundingBoxTopLeftHandCorner=[0.0, 0.0],
                BoundingBoxBottomRightHandCorner=[1.0, 1.0], UnformattedTextValue="L")  # fmt: skip
    area = item(DisplayedAreaTopLeftHandCorner=[0, 0], DisplayedAreaBottomRightHandCorner=[5, 3],
                PresentationSizeMode="TRUE SIZE", PresentationPixelSpacing=["0.5", "0.25"],
                PresentationPixelAspectRatio=["2", "1"], ReferencedImageSequence=images)  # fmt: skip
    lut = item(LUTDescriptor=[16, 0, 12])
    lut.add_new(0x00283006, "US", list(range(0, 4096, 256)))
    found = item(
        SOPClassUID=sop_class, SOPInstanceUID="1.2.9", Modality="PR", PresentationLUTShape="INVERSE",
        ReferencedSeriesSequence=[item(SeriesInstanceUID="1.2.3.4", ReferencedImageSequence=[reference])],
        RescaleSlope="1", RescaleIntercept="0", RescaleType="US",
        SoftcopyVOILUTSequence=[item(WindowCenter="1000", WindowWidth="2000", ReferencedImageSequence=images)],
        PresentationLUTSequence=[lut], DisplayedAreaSelectionSequence=[area],
        GraphicAnnotationSequence=[item(GraphicLayer="A", GraphicObjectSequence=graphics, TextObjectSequence=[text])],
        ImageRotation=90, ImageHorizontalFlip="Y", ICCProfile=b"\0" * 200,
        ShutterShape=["RECTANGULAR", "CIRCULAR", "POLYGONAL", "BITMAP"], ShutterLeftVerticalEdge="1",
        ShutterRightVerticalEdge="6", ShutterUpperHorizontalEdge="0", ShutterLowerHorizontalEdge="5",
        CenterOfCircularShutter=["2", "3"], RadiusOfCircularShutter="3", ShutterPresentationValue=1000,
        VerticesOfThePolygonalShutter=["1", "1", "1", "6", "4", "1"], ShutterOverlayGroup=0x6002,
    )  # fmt: skip
    for name in ("Red", "Green", "Blue"):
        setattr(found, f"{name}PaletteColorLookupTableDescriptor", [16, 0, 16])
        setattr(found, f"{name}PaletteColorLookupTableData", packed(list(range(0, 65536, 4096))))
    plane = {0x10: ("US", 3), 0x11: ("US", 5), 0x50: ("SS", [1, 1]), 0x102: ("US", 0), 0x3000: ("OW", b"\xaa\x55")}
    for group in (0x6000, 0x6002):
        for number, (vr, value) in plane.items():
            found.add_new(group << 16 | number, vr, value)
    found.add_new(0x60001001, "CS", "A")
    return found


def state_faults(folder: Path, seeds: Iterable[int]) -> list[str]:
    """What these wrong states did that they should not have; a refusal or a picture is what they should."""
    frame = converter.open(ct()).frame(1)
    corpus, path = states(), folder / "state.dcm"
    found = []
    for seed in seeds:
        path.write_bytes(mutated(corpus, seed))
        presentation_state.cache_clear()
        began = time.process_time()
        try:
            rendering = converter.render(frame, presentation=presentation_state(str(path)))
            converter.encode(rendering, frame)
        except ConversionError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it was not foreseen
            found.append(f"state {seed}: {type(error).__name__}: {error}")
        if time.process_time() - began > SECONDS:
            found.append(f"state {seed}: it took longer than {SECONDS:g} s")
    return found
