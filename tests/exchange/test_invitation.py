"""Invitations."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from exchange.invitation import invite


def test_the_code_is_accepted_in_time_however_it_is_typed(now: datetime) -> None:
    code, invitation = invite(now)
    assert re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}", code)
    assert invitation.accepts(code, now)
    assert invitation.accepts(code.lower().replace("-", " "), now)


def test_another_code_is_not(now: datetime) -> None:
    _, invitation = invite(now)
    other, _ = invite(now)
    assert not invitation.accepts(other, now)
    assert not invitation.accepts("", now)


def test_a_late_one_is_not(now: datetime) -> None:
    code, invitation = invite(now, timedelta(hours=1))
    assert not invitation.accepts(code, now + timedelta(hours=1))


def test_the_code_is_not_in_the_invitation(now: datetime) -> None:
    code, invitation = invite(now)
    assert code.replace("-", "").lower().encode() not in invitation.encode().lower()
