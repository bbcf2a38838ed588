"""The way in: a login and a password become a session or one visit; each attempt is in the audit log."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from appliance.accounts.staff import InvitationRefused
from appliance.errors import ApplianceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from appliance.accounts.lockout import Lockout
    from appliance.accounts.sessions import Sessions
    from appliance.accounts.staff import Staff
    from appliance.audit import Audit
    from appliance.settings import CurrentSettings
    from exchange.settings import StaffMember

UNKNOWN = "(unknown)"


class WrongLogin(ApplianceError):
    """A login and a password that do not belong together; whether there is such a login is not told."""


class TooManyAttempts(ApplianceError):
    """Wrong passwords before; `wait_s` says for how many seconds no further one is looked at."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = ceil(wait_s)
        super().__init__(f"Too many attempts. Try again in {self.wait_s} s.")


@dataclass(frozen=True)
class Entrance:
    """Where staff come in."""

    settings: CurrentSettings
    staff: Staff
    sessions: Sessions
    lockout: Lockout
    audit: Audit

    def enter(self, login: str, password: str, address: str) -> str:
        """Open a session and tell its token.

        Raises
        ------
        WrongLogin, TooManyAttempts
        """
        return self.sessions.open(self.check(login, password, address).login)

    def check(self, login: str, password: str, address: str) -> StaffMember:
        """The person who has this login and password, for one visit.

        Raises
        ------
        WrongLogin, TooManyAttempts
        """
        try:
            with self._attempt(login, address):
                member = self._known(login, password)
        except WrongLogin:
            self.audit.record(action="login", who=self._named(login), outcome="refused", address=address)
            raise
        self.audit.record(action="login", who=login, address=address)
        return member

    def accept(self, login: str, code: str, password: str, address: str) -> None:
        """Accept an invitation. A password too weak to be set guesses at nothing: it is no attempt.

        Raises
        ------
        InvitationRefused, TooManyAttempts
        """
        self.staff.weigh(login, password)
        try:
            with self._attempt(login, address):
                self.staff.accept(login, code, password)
        except InvitationRefused:
            self.audit.record(action="invitation", who=self._named(login), outcome="refused", address=address)
            raise
        self.audit.record(action="invitation", who=login, address=address)

    def leave(self, token: str, login: str, address: str) -> None:
        """End a session."""
        self.sessions.close(token)
        self.audit.record(action="logout", who=login, address=address)

    def _known(self, login: str, password: str) -> StaffMember:
        member = self.staff.check(login, password)
        if member is None:
            raise WrongLogin("The login or the password is wrong.")
        return member

    @contextmanager
    def _attempt(self, login: str, address: str) -> Iterator[None]:
        """An attempt, which fails where the block raises."""
        if wait_s := self.lockout.attempt(login, address):
            raise TooManyAttempts(wait_s)
        well = False
        try:
            yield
            well = True
        finally:
            self.lockout.ended(login, address, well=well)

    def _named(self, login: str) -> str:
        """The login where there is such a person: some type their password into that field, and others read the log."""
        return login if self.settings.member(login) else UNKNOWN
