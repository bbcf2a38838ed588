"""How long wrong passwords make one wait."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from appliance.accounts.lockout import Lockout

HERE = "10.20.1.7"


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def failing(lockout: Lockout, login: str, address: str) -> float:
    """The wait before an attempt, which fails where it is looked at."""
    wait_s = lockout.attempt(login, address)
    if wait_s == 0:
        lockout.ended(login, address, well=False)
    return wait_s


def test_some_failures_are_free_and_then_the_wait_doubles() -> None:
    clock = Clock()
    lockout = Lockout(clock)
    for _ in range(6):
        assert failing(lockout, "dr.anbu", HERE) == 0
    assert failing(lockout, "dr.anbu", HERE) == 2
    clock.now += 2
    assert failing(lockout, "dr.anbu", HERE) == 0
    assert failing(lockout, "dr.anbu", HERE) == 4


def test_a_login_is_never_held_for_longer_than_a_minute() -> None:
    clock = Clock()
    lockout = Lockout(clock)
    for number in range(200):
        failing(lockout, "dr.anbu", f"10.20.2.{number}")
        clock.now += 61
    failing(lockout, "dr.anbu", HERE)
    assert failing(lockout, "dr.anbu", HERE) <= 60


def test_an_address_that_tries_many_logins_waits() -> None:
    lockout = Lockout(Clock())
    waits = [failing(lockout, f"login{number}", HERE) for number in range(30)]
    assert not any(waits[:21])
    assert all(waits[21:])
    assert failing(lockout, "login1", "10.20.1.8") == 0


def test_a_success_frees_the_login_and_not_the_address() -> None:
    lockout = Lockout(Clock())
    for number in range(21):
        assert lockout.attempt(f"login{number}", HERE) == 0
        lockout.ended(f"login{number}", HERE, well=bool(number % 2))
    waits = [failing(lockout, f"other{number}", HERE) for number in range(11)]
    assert not any(waits[:10])
    assert waits[10]


def test_failures_are_forgotten_after_an_hour() -> None:
    clock = Clock()
    lockout = Lockout(clock)
    for _ in range(8):
        failing(lockout, "dr.anbu", HERE)
    clock.now += 3601
    assert failing(lockout, "dr.anbu", HERE) == 0


def test_a_ward_that_mistypes_now_and_then_all_week_never_waits() -> None:
    """One PC for everybody: a typo every ten minutes, each followed by the right password."""
    clock = Clock()
    lockout = Lockout(clock)
    for number in range(7 * 24 * 6):
        clock.now += 600
        assert failing(lockout, f"login{number % 12}", HERE) == 0
        assert lockout.attempt(f"login{number % 12}", HERE) == 0
        lockout.ended(f"login{number % 12}", HERE, well=True)


def test_an_address_that_goes_on_guessing_waits_minutes_for_each_guess() -> None:
    clock = Clock()
    lockout = Lockout(clock)
    waits, guesses, begun = [], 0, clock.now
    while clock.now < begun + 24 * 3600:
        waits.append(failing(lockout, f"login{guesses}", HERE))
        guesses += waits[-1] == 0
        clock.now += waits[-1]
    assert guesses < 20 + 24 * 25
    assert max(waits) <= 300


def test_memory_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr("appliance.accounts.lockout.REMEMBERED", 10)
    lockout = Lockout(Clock())
    for number in range(1000):
        failing(lockout, f"login{number}", f"10.20.{number // 250}.{number % 250}")
    assert len(lockout._known) == 10


def at_once(lockout: Lockout, count: int, *, well: bool) -> list[float]:
    """The waits of so many attempts side by side, each of which is under way for a while."""

    def one(_number: int) -> float:
        wait_s = lockout.attempt("dr.anbu", HERE)
        if wait_s == 0:
            time.sleep(0.02)
            lockout.ended("dr.anbu", HERE, well=well)
        return wait_s

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def test_right_ones_at_once_all_come_in() -> None:
    lockout = Lockout(Clock())
    assert at_once(lockout, 40, well=True) == [0] * 40
    assert lockout.attempt("dr.anbu", HERE) == 0


def test_wrong_ones_at_once_do_not_slip_through_together() -> None:
    waits = at_once(Lockout(Clock()), 40, well=False)
    assert waits.count(0) == 6
    assert set(waits) == {0, 2}


def test_nothing_is_kept_of_attempts_that_ended_well() -> None:
    lockout = Lockout(Clock())
    at_once(lockout, 8, well=True)
    assert not lockout._under_way
    assert not lockout._known


def test_an_attempt_that_does_not_end_holds_others_for_a_while_only(monkeypatch) -> None:
    monkeypatch.setattr("appliance.accounts.lockout.UNDER_WAY_S", 0.05)
    lockout = Lockout(Clock())
    assert [lockout.attempt("dr.anbu", HERE) for _ in range(7)] == [0] * 6 + [2]
