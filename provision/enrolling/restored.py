"""An exchange restored from an older copy: appliances know newer versions than it holds, and take none lower."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.fleet.branch_status import directories_known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.fleet.branch_status import BranchStatus
    from provision.planning.found import Found

#: How much newer a version may be to be believed: one appliance alone could otherwise use all numbers up.
MOST_AHEAD = 10_000


def newest_directory(now: Found) -> int:
    """The newest version of the directory that an appliance knows and the exchange does not hold; 0 for none."""
    held = now.view.published.directory
    known = directories_known(now)
    return max((each for each in known if _is_ahead(each, held.version if held else 0)), default=0)


def overtaken(now: Found, statuses: Iterable[BranchStatus]) -> dict[str, int]:
    """The branches that know newer settings than the exchange holds, and the version that each knows."""
    view = now.view
    settings = {first: each for first, each in view.published.settings.items() if not view.is_anothers(first)}
    held = {view.present_name(first): each.version for first, each in settings.items()}
    return {
        each.name: each.settings_known
        for each in statuses
        if each.name in held and _is_ahead(each.settings_known, held[each.name])
    }


def _is_ahead(known: int, held: int) -> bool:
    return held < known <= held + MOST_AHEAD
