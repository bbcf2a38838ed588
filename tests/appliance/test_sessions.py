"""Sessions of staff: opened, found, idle, over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from appliance.accounts.sessions import IDLE, LONGEST, SKEW, Sessions, end_others, form_token
from appliance.index.engine import open_index
from appliance.people_tables import LoginSession

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from appliance.index.engine import Index


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    opened = open_index(tmp_path / "index.sqlite")
    yield opened
    opened.close()


def test_a_token_finds_its_session_and_is_not_kept(index: Index, tmp_path: Path) -> None:
    sessions = Sessions(index, Clock())
    token = sessions.open("dr.anbu")
    assert sessions.login_of(token) == "dr.anbu"
    assert sessions.login_of(token + "x") is None
    assert sessions.login_of("") is None
    assert all(token.encode() not in file.read_bytes() for file in tmp_path.iterdir())


def test_a_session_ends_when_it_is_idle(index: Index) -> None:
    clock = Clock()
    sessions = Sessions(index, clock)
    token = sessions.open("dr.anbu")
    for _ in range(4):
        clock.now += IDLE - timedelta(minutes=2)
        assert sessions.login_of(token) == "dr.anbu"
    clock.now += IDLE + timedelta(seconds=1)
    assert sessions.login_of(token) is None


def test_a_session_ends_after_a_working_day_however_busy(index: Index) -> None:
    clock = Clock()
    sessions = Sessions(index, clock)
    token, opened = sessions.open("dr.anbu"), clock.now
    while clock.now < opened + LONGEST:
        assert sessions.login_of(token) == "dr.anbu"
        clock.now += timedelta(minutes=15)
    clock.now += timedelta(seconds=1)
    assert sessions.login_of(token) is None


def test_a_session_of_a_clock_that_was_ahead_is_over_once_it_is_put_right(index: Index) -> None:
    clock = Clock()
    sessions = Sessions(index, clock)
    right = clock.now
    clock.now = right.replace(year=2030)
    ahead = sessions.open("dr.anbu")
    clock.now = right
    assert sessions.login_of(ahead) is None
    sessions.open("r.devi")
    clock.now = right.replace(year=2030)
    assert sessions.login_of(ahead) is None


def test_a_session_that_was_seen_by_a_clock_that_was_ahead_is_over(index: Index) -> None:
    clock = Clock()
    sessions = Sessions(index, clock)
    token, right = sessions.open("dr.anbu"), clock.now
    clock.now += timedelta(minutes=20)
    assert sessions.login_of(token) == "dr.anbu"
    clock.now = right + timedelta(minutes=1)
    assert sessions.login_of(token) is None


def test_a_clock_that_is_put_right_a_little_turns_nobody_out(index: Index) -> None:
    clock = Clock()
    sessions = Sessions(index, clock)
    token = sessions.open("dr.anbu")
    clock.now -= SKEW
    assert sessions.login_of(token) == "dr.anbu"
    sessions.open("r.devi")
    assert sessions.login_of(token) == "dr.anbu"


def test_logging_out_ends_one_session(index: Index) -> None:
    sessions = Sessions(index)
    one, other = sessions.open("dr.anbu"), sessions.open("dr.anbu")
    sessions.close(one)
    assert sessions.login_of(one) is None
    assert sessions.login_of(other) == "dr.anbu"


def test_who_is_no_longer_staff_loses_every_session(index: Index) -> None:
    sessions = Sessions(index)
    gone, stays = sessions.open("gone"), sessions.open("stays")
    with index.writing() as session:
        end_others(session, {"stays"})
    assert sessions.login_of(gone) is None
    assert sessions.login_of(stays) == "stays"


def test_sessions_that_are_over_are_swept_away(index: Index) -> None:
    clock = Clock()
    sessions = Sessions(index, clock)
    sessions.open("dr.anbu")
    clock.now += LONGEST
    sessions.open("r.devi")
    with index.session() as session:
        assert session.scalars(select(LoginSession.login)).all() == ["r.devi"]


def test_form_tokens_differ_by_session() -> None:
    assert form_token("a") != form_token("b")
    assert "a" * 20 not in form_token("a" * 20)
