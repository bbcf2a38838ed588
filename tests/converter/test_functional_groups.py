"""What holds for one frame, for all frames, and for the image (PS3.3 C.7.6.16)."""

from __future__ import annotations

from typing import Any

import numpy as np

import converter
from tests.converter.building import file, image, item

FRAMES = [np.arange(n, n + 60, dtype=np.uint16).reshape(6, 10) * 7 for n in (0, 100, 200)]
WINDOW = {"WindowCenter": "1000", "WindowWidth": "2000"}


def voi(center: str, width: str) -> Any:
    return item(FrameVOILUTSequence=[item(WindowCenter=center, WindowWidth=width)])


def rescale(slope: str, intercept: str) -> Any:
    return item(PixelValueTransformationSequence=[item(RescaleSlope=slope, RescaleIntercept=intercept)])


def merged(*parts: Any) -> Any:
    found = item()
    for part in parts:
        found.update(part)
    return found


def windows(**attributes: Any) -> list[tuple[float, float, str]]:
    content = file(image(b"".join(frame.tobytes() for frame in FRAMES), 6, 10, NumberOfFrames=3, **attributes))
    found = [converter.render(frame) for frame in converter.frames(converter.open(content))]
    return [(r.window.center, r.window.width, r.window_source) for r in found if r.window]


def test_a_frames_window_goes_before_the_shared_one_and_the_images() -> None:
    per_frame = [voi("10", "20"), item(), voi("30", "40")]
    found = windows(PerFrameFunctionalGroupsSequence=per_frame,
                    SharedFunctionalGroupsSequence=[voi("50", "60")], **WINDOW)  # fmt: skip
    assert found == [(10, 20, "frame"), (50, 60, "shared"), (30, 40, "frame")]


def test_the_shared_window_goes_before_the_images() -> None:
    assert windows(SharedFunctionalGroupsSequence=[voi("50", "60")], **WINDOW) == [(50, 60, "shared")] * 3


def test_the_images_window_holds_where_groups_say_nothing() -> None:
    groups = {"PerFrameFunctionalGroupsSequence": [item()] * 2, "SharedFunctionalGroupsSequence": [item()]}
    assert windows(**groups, **WINDOW) == [(1000, 2000, "image")] * 3


def test_rescale_of_frames_and_shared() -> None:
    per_frame = [rescale("2", "10"), item(), rescale("0.5", "-7")]
    dataset = image(
        b"".join(frame.tobytes() for frame in FRAMES), 6, 10, NumberOfFrames=3, RescaleSlope="9", RescaleIntercept="9",
        PerFrameFunctionalGroupsSequence=per_frame,
        SharedFunctionalGroupsSequence=[merged(rescale("3", "1"), voi("500", "1000"))],
    )  # fmt: skip
    for frame, (slope, intercept) in zip(
        converter.frames(converter.open(file(dataset))), [(2, 10), (3, 1), (0.5, -7)], strict=True
    ):
        x = frame.stored * slope + intercept
        expected = np.clip(((x - 499.5) / 999 + 0.5) * 255, 0, 255)
        assert np.abs(converter.render(frame).pixels - expected).max() <= 0.5 + 1e-6


def test_all_frames_without_a_window_share_one() -> None:
    found = windows()
    assert len(set(found)) == 1
    assert found[0][2].startswith("auto")
