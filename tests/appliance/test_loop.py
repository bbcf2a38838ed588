"""The background threads of the service: no error ends them, however long it lasts."""

from __future__ import annotations

import pytest

from appliance.errors import ApplianceError
from appliance.loop import LONGEST_PAUSE_S, Loop
from tests.waiting import until


class Waits:
    """Notes how long the loop would wait, and lets it go on at once."""

    def __init__(self) -> None:
        self.told: list[float] = []

    def wait(self, timeout: float) -> bool:
        self.told.append(timeout)
        return False

    def set(self) -> None: ...

    def clear(self) -> None: ...


@pytest.mark.parametrize("error", [ApplianceError("away"), OSError("away")])
def test_a_thing_that_goes_wrong_for_days_is_still_tried(error: Exception) -> None:
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        raise error

    loop, waits = Loop("enrolment", step, lambda: 0.5), Waits()
    loop._wake = waits  # type: ignore[assignment]
    loop.start()
    until(lambda: steps > 1100 or not loop._thread.is_alive())
    assert loop._thread.is_alive()
    loop.stop()
    loop.join(5)
    assert max(waits.told) == LONGEST_PAUSE_S
    assert waits.told[:3] == [1.0, 2.0, 4.0]
