"""What stands, while nobody else applies: for what changes the community's keys outside of a plan."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from provision.applying.holding import holding
from provision.errors import Busy
from provision.planning.found import found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.desk import Desk
    from provision.planning.found import Found


@contextmanager
def alone(desk: Desk, community: str, *, take_over: bool = False) -> Iterator[Found]:
    """The cloud and the exchange as they are from now on, for us alone.

    Parameters
    ----------
    take_over
        Take the place of another admin's apply that is known to be dead.

    Raises
    ------
    Busy
        Another admin applies, or one was interrupted with something that an apply has to undo.
    """
    with holding(desk, community, (), take_over=take_over) as held:
        if held.undoing:
            held.stays = True
            raise Busy("an apply was interrupted that has new branches to undo: run `gurney apply` first")
        yield found(desk, community)
