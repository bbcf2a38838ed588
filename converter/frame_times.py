"""How long each frame of a cine is shown."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from converter.dicom import tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from converter.dicom.header import Header

DEFAULT_MS = 100.0
_SLOWEST_MS = 60_000.0


def frame_times_ms(header: Header, numbers: Sequence[int]) -> tuple[float, ...]:
    """Milliseconds for each of the frames.

    From (0018,1065) Frame Time Vector, (0018,1063) Frame Time, (0018,0040) Cine Rate or (0008,2144) Recommended
    Display Frame Rate, in this order; 100 ms where there is none.

    Parameters
    ----------
    numbers : sequence of int
        Frame numbers, counted from 1.

    References
    ----------
    PS3.3 C.7.6.5
    """
    # The vector's n-th entry is the time from frame n - 1 to frame n, so frame n is shown for the entry after its own.
    vector = header.numbers(tags.FRAME_TIME_VECTOR)
    steady = _steady_ms(header)
    return tuple(_usable(vector[number]) if number < len(vector) else steady for number in numbers)


def _steady_ms(header: Header) -> float:
    frame_time = header.number(tags.FRAME_TIME)
    if frame_time:
        return _usable(frame_time)
    rate = header.number(tags.CINE_RATE) or header.number(tags.RECOMMENDED_DISPLAY_FRAME_RATE)
    return _usable(1000 / rate) if rate else DEFAULT_MS


def _usable(time_ms: float) -> float:
    return min(time_ms, _SLOWEST_MS) if math.isfinite(time_ms) and time_ms > 0 else DEFAULT_MS
