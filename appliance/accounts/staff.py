"""People who log in: the settings say who, the appliance keeps their passwords."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import update

from appliance.accounts.nt_hash import nt_hash
from appliance.accounts.passwords import hashed, matches, objections
from appliance.accounts.sessions import end_others, end_sessions
from appliance.errors import ApplianceError
from appliance.people_tables import Account

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from appliance.index.engine import Index
    from appliance.settings import CurrentSettings
    from exchange.settings import StaffMember


class InvitationRefused(ApplianceError):
    """An invitation that cannot be accepted; `reasons` are sentences for the person."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


NOT_INVITED = (
    "This login and this code do not belong together, or the code was used already or has expired. "
    "Your administrator can give you a new one."
)


class Staff:
    """The people of one branch.

    Parameters
    ----------
    index, settings
        Where passwords are kept; who there is.
    names
        Names that everyone in the branch knows, and so no password.
    """

    def __init__(self, index: Index, settings: CurrentSettings, names: frozenset[str]) -> None:
        self._index = index
        self._settings = settings
        self._names = names

    def check(self, login: str, password: str) -> StaffMember | None:
        """The person of a login and its password; None, after the same work, where there is none or it is wrong."""
        member = self._settings.member(login)
        account = self._account(login) if member else None
        return member if matches(account.password_hash if account else None, password) else None

    def weigh(self, login: str, password: str) -> None:
        """Raise `InvitationRefused` where a password is too weak to be set, whoever wants to set it."""
        if faults := objections(password, login, self._names):
            raise InvitationRefused(*faults)

    def accept(self, login: str, code: str, password: str) -> StaffMember:
        """Accept an invitation: set the password and end the person's sessions.

        Raises
        ------
        InvitationRefused
            Wrong, used or expired code, unknown login (which of these is not told), or a password that is too weak.
        """
        self.weigh(login, password)
        member = self._invited(login, code)
        password_hash, smb_hash = hashed(password), nt_hash(password)
        with self._index.writing() as session:
            self._set(session, member, password_hash, smb_hash)
        return member

    def _invited(self, login: str, code: str) -> StaffMember:
        member = self._settings.member(login)
        invitation = member.invitation if member else None
        if member is None or invitation is None or not invitation.accepts(code, datetime.now(UTC)):
            raise InvitationRefused(NOT_INVITED)
        return member

    def _set(self, session: Session, member: StaffMember, password_hash: str, smb_hash: str) -> None:
        assert member.invitation is not None
        used = session.get(Account, member.login)
        if used is not None and used.accepted_code == member.invitation.code_digest:
            raise InvitationRefused(NOT_INVITED)
        code, now = member.invitation.code_digest, datetime.now(UTC)
        kept = {"password_hash": password_hash, "smb_hash": smb_hash}
        session.merge(Account(login=member.login, accepted_code=code, password_set=now, **kept))
        end_sessions(session, member.login)

    def _account(self, login: str) -> Account | None:
        with self._index.session() as session:
            return session.get(Account, login)


def dismiss_others(session: Session, logins: Collection[str]) -> None:
    """Take passwords and sessions from whoever is no longer staff; the used code stays known."""
    session.execute(update(Account).where(Account.login.not_in(logins)).values(password_hash=None, smb_hash=None))
    end_others(session, logins)
