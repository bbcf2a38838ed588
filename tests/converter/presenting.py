"""Images and presentation states for the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import converter
from converter.presentation.state import PresentationState, presentation_state
from tests.converter.building import file, image, item, packed
from tests.converter.reference import Gray

if TYPE_CHECKING:
    from pathlib import Path

    from converter.rendering import Rendering

GSPS = "1.2.840.10008.5.1.4.1.1.11.1"
BE = "1.2.840.10008.1.2.2"
ROWS, COLUMNS = 8, 10
CELLS = [n * 50 for n in range(ROWS * COLUMNS)]
WINDOW = {"WindowCenter": "2000", "WindowWidth": "4000"}
OWN = Gray(window=(2000, 4000))


def picture(attributes: dict[str, Any] | None = None, **more: Any) -> bytes:
    return file(image(packed(CELLS), ROWS, COLUMNS, **{**WINDOW, **(attributes or {})}, **more))


def state(tmp_path: Path, *, refers_to: str = "1.2.3.4.5", frames: Any = None, **attributes: Any) -> PresentationState:
    reference = item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=refers_to)
    if frames:
        reference.ReferencedFrameNumber = frames
    found = item(
        SOPClassUID=GSPS,
        SOPInstanceUID="1.2.9",
        Modality="PR",
        PresentationLUTShape="IDENTITY",
        ReferencedSeriesSequence=[item(SeriesInstanceUID="1.2.3.4", ReferencedImageSequence=[reference])],
    )
    found.update(item(**attributes))
    path = tmp_path / "state.dcm"
    path.write_bytes(file(found))
    presentation_state.cache_clear()
    return presentation_state(str(path))


def voi(center: str, width: str, **more: Any) -> Any:
    return item(WindowCenter=center, WindowWidth=width, **more)


def shown(content: bytes, presentation: PresentationState | None = None, **more: Any) -> Rendering:
    return converter.render(next(converter.frames(converter.open(content))), presentation=presentation, **more)


def agrees(rendering: Rendering, gray: Gray) -> bool:
    exact = np.array([gray.exact(cell) for cell in CELLS]).reshape(ROWS, COLUMNS)
    return bool(np.abs(rendering.pixels - exact).max() <= 0.5 + 1e-6)
