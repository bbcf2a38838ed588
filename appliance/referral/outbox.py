"""The limit of an outbox: what a branch puts into its own, and what it takes from another's in one round."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from appliance.errors import ApplianceError
from appliance.people_tables import SentReferral
from appliance.referral.states import OPEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

MIB = 1 << 20


class OutboxFull(ApplianceError):
    """The referral does not fit into the outbox now, or ever."""


class OverShare(ApplianceError):
    """More lies in a sender's outbox than may: it waits."""


def used_bytes(session: Session) -> int:
    """The most bytes that the referrals which are on their way need in the outbox.

    Acknowledgements are not counted: they have a few hundred bytes, and must never wait for room.
    """
    return int(session.scalar(select(func.sum(SentReferral.sealed_bytes)).where(SentReferral.state.in_(OPEN))) or 0)


def check_room(session: Session, needed: int, limit: int) -> None:
    """Raise unless a further referral fits into the outbox; a limit of 0 is none.

    Raises
    ------
    OutboxFull
    """
    if not limit:
        return
    if needed > limit:
        raise OutboxFull(
            f"This referral needs up to {mib(needed)} in the outbox, and the community allows a branch {mib(limit)} at "
            "all. Ask the community's admin for a larger outbox (`exchange: {outbox: ...}`), or refer one study "
            "after the other."
        )
    if (used := used_bytes(session)) + needed > limit:
        raise OutboxFull(
            f"This referral needs up to {mib(needed)} in the outbox, of whose {mib(limit)} referrals that are on their "
            f"way take {mib(used)}. Refer again when some have arrived, or withdraw one."
        )


class Shares:
    """What is taken of each sender in one round: no more than an outbox may hold, whatever lies in it.

    Parameters
    ----------
    limit
        How many bytes an outbox may hold, as our settings say; 0 for any number.
    """

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._taken: Counter[str] = Counter()

    def begin(self) -> None:
        """Another round."""
        self._taken.clear()

    def take(self, sender: str, size: int) -> None:
        """Take a referral of so many bytes.

        Raises
        ------
        OverShare
            It has to wait: for another round, or for settings that allow it.
        """
        limit, taken = self._limit(), self._taken[sender]
        if limit and taken + size > limit:
            beside = f" beside {mib(taken)} in this round" if taken else ""
            raise OverShare(
                f"{sender}'s outbox holds {mib(size)} for us{beside}, more than the {mib(limit)} that the community "
                "allows: it waits"
            )
        self._taken[sender] += size


def mib(size: int) -> str:
    """A size as people read it, rounded up."""
    return f"{-(-size // MIB)} MiB"
