"""How long wrong passwords make one wait."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.accounts.lockout import Lockout

HERE = "10.20.1.7"


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_some_failures_are_free_and_then_the_wait_doubles() -> None:
    clock = Clock()
    lockout = Lockout(clock)
    for _ in range(6):
        assert lockout.attempt("dr.anbu", HERE) == 0
    assert lockout.attempt("dr.anbu", HERE) == 2
    clock.now += 2
    assert lockout.attempt("dr.anbu", HERE) == 0
    assert lockout.attempt("dr.anbu", HERE) == 4


def test_a_login_is_never_held_for_longer_than_a_minute() -> None:
    clock = Clock()
    lockout = Lockout(clock)
    for number in range(200):
        lockout.attempt("dr.anbu", f"10.20.2.{number}")
        clock.now += 61
    lockout.attempt("dr.anbu", HERE)
    assert lockout.attempt("dr.anbu", HERE) <= 60


def test_an_address_that_tries_many_logins_waits() -> None:
    lockout = Lockout(Clock())
    waits = [lockout.attempt(f"login{number}", HERE) for number in range(30)]
    assert not any(waits[:21])
    assert all(waits[21:])
    assert lockout.attempt("login1", "10.20.1.8") == 0


def test_a_success_frees_the_login_and_not_the_address() -> None:
    lockout = Lockout(Clock())
    for number in range(21):
        assert lockout.attempt(f"login{number}", HERE) == 0
        if number % 2:
            lockout.succeeded(f"login{number}", HERE)
    waits = [lockout.attempt(f"other{number}", HERE) for number in range(11)]
    assert not any(waits[:10])
    assert waits[10]


def test_failures_are_forgotten_after_an_hour() -> None:
    clock = Clock()
    lockout = Lockout(clock)
    for _ in range(8):
        lockout.attempt("dr.anbu", HERE)
    clock.now += 3601
    assert lockout.attempt("dr.anbu", HERE) == 0


def test_memory_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr("appliance.accounts.lockout.REMEMBERED", 10)
    lockout = Lockout(Clock())
    for number in range(1000):
        lockout.attempt(f"login{number}", f"10.20.{number // 250}.{number % 250}")
    assert len(lockout._known) == 10
