"""A sender's clock that is wrong makes its referrals wait, and ends none."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

import pytest

from appliance.referral import overdue, sending
from appliance.referral.overdue import OVERDUE_S, Overdue
from appliance.referral.states import ARRIVED, EXPIRED, SENT
from tests.appliance.hospital import Hospital, ct, hospitals
from tests.appliance.referring import outbox_files, refer, row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo
    from pathlib import Path


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Hospital, Hospital]]:
    with hospitals(tmp_path, "erode", "salem") as opened:
        yield opened  # type: ignore[misc]


def clock(days: int) -> type[datetime]:
    """A clock that is wrong by so many days."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(days=days)

    return Wrong


@pytest.mark.parametrize("days", [40, 4000, -4000])
def test_a_clock_that_jumps_and_comes_back_ends_nothing(two, days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    erode, salem = two
    erode.keep(ct())
    referral_id = refer(erode, salem)
    erode.sending.step()
    with monkeypatch.context() as wrong:
        wrong.setattr(sending, "datetime", clock(days))
        for _ in range(3):
            erode.sending.step()
    assert row(erode, referral_id).state == SENT
    assert outbox_files(erode) == ["0001.parcel.age", "manifest.age"]
    salem.receiving.step()
    erode.sending.step()
    assert row(erode, referral_id).state == ARRIVED


@pytest.mark.parametrize(("days", "state"), [(40, EXPIRED), (4000, SENT)])
def test_a_clock_past_the_end_of_the_directory_is_not_believed(
    two, days: int, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    erode, salem = two
    erode.keep(ct())
    referral_id = refer(erode, salem)
    erode.sending.step()
    monkeypatch.setattr(overdue, "OVERDUE_S", 0)
    monkeypatch.setattr(sending, "datetime", clock(days))
    erode.sending.step()
    assert row(erode, referral_id).state == state


def test_only_what_is_overdue_on_end_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(overdue.time, "monotonic", lambda: now)
    seen = Overdue()
    assert seen.long_enough(["a", "b"]) == []
    now += OVERDUE_S - 1
    assert seen.long_enough(["a"]) == []
    now += 1
    assert seen.long_enough(["a", "b"]) == ["a"]
    now += OVERDUE_S
    assert seen.long_enough(["b"]) == ["b"]
