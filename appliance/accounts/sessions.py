"""Sessions of staff: a random token in the browser, its digest and two times here."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import delete, or_
from sqlalchemy.exc import OperationalError

from appliance.errors import ArchiveFull
from appliance.people_tables import LoginSession

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from appliance.index.engine import Index

log = structlog.get_logger("appliance.sessions")

#: A ward's PC is shared: half an hour without a click ends a session, and a working day does in any case.
IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
#: How stale `seen` may be: a write to the index for each click would be one too many.
SEEN_STEP = timedelta(minutes=1)
#: How far ahead of us a session's times may be: a clock that is put right by less turns nobody out. What is further
#: ahead is of a clock that was wrong, and would not end for as long.
SKEW = timedelta(minutes=2)


def _now() -> datetime:
    return datetime.now(UTC)


class Sessions:
    """The open sessions of one appliance."""

    def __init__(self, index: Index, clock: Callable[[], datetime] = _now) -> None:
        self._index = index
        self._clock = clock

    def open(self, login: str) -> str:
        """Open a session; its token is told once, here. Sessions that are over are swept away with it."""
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._index.writing() as session:
            session.execute(delete(LoginSession).where(or_(*_over(now))))
            session.add(LoginSession(token_digest=digest_of(token), login=login, opened=now, seen=now))
        return token

    def login_of(self, token: str, *, is_click: bool = True) -> str | None:
        """Whose session a token is, or None where there is none or it is over; a click is noted."""
        now = self._clock()
        with self._index.session() as session:
            kept = session.get(LoginSession, digest_of(token))
        if kept is None or _is_over(kept, now):
            return None
        if is_click and now - kept.seen > SEEN_STEP:
            self._touch(kept.token_digest, now)
        return kept.login

    def _touch(self, token_digest: str, now: datetime) -> None:
        """Note that it is seen; what cannot be noted in a full or busy index can be read all the same."""
        try:
            with self._index.writing() as session:
                if (kept := session.get(LoginSession, token_digest)) is not None:
                    kept.seen = now
        except (ArchiveFull, OperationalError) as error:
            log.warning("a session's click was not noted", reason=str(error))

    def close(self, token: str) -> None:
        """End one session."""
        with self._index.writing() as session:
            session.execute(delete(LoginSession).where(LoginSession.token_digest == digest_of(token)))


def _is_over(kept: LoginSession, now: datetime) -> bool:
    """Whether a session is idle, a working day old, or of a clock that was ahead."""
    return not (-SKEW <= now - kept.seen <= IDLE and -SKEW <= now - kept.opened <= LONGEST)


def _over(now: datetime) -> Iterator[ColumnElement[bool]]:
    """The same, as the index is asked."""
    for column, longest in ((LoginSession.seen, IDLE), (LoginSession.opened, LONGEST)):
        yield column < now - longest
        yield column > now + SKEW


def end_sessions(session: Session, login: str) -> None:
    """End every session of a person."""
    session.execute(delete(LoginSession).where(LoginSession.login == login))


def end_others(session: Session, logins: Collection[str]) -> None:
    """End every session of whoever is not among these logins."""
    session.execute(delete(LoginSession).where(LoginSession.login.not_in(logins)))


def digest_of(token: str) -> str:
    """Under which a token is kept: SHA-256 is enough for 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def form_token(token: str) -> str:
    """What a session's forms carry: another site's page can neither read nor compute it."""
    return hmac.digest(token.encode(), b"gurney form", "sha256").hex()
