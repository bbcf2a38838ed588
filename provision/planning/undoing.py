"""New branches that an apply was to undo: which of them were whole once, and what a plan says of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.planning.resource import Ref

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.planning.found import Found


def ever_whole(branch: str, found: Found) -> bool:
    """Whether a branch was complete once: it is enrolled, or its VM stands, which is made last."""
    return found.view.first_name(branch) in found.view.published.enrolled or Ref("appliance", branch) in found.resources


def conditions_of_rollback(found: Found) -> Iterator[str]:
    """The branches that an apply which did not end was to undo."""
    for branch in sorted(found.undoing):
        if not ever_whole(branch, found):
            yield (
                f"An `apply --rollback` that made branch {branch} has not ended. If it is dead, the next apply takes "
                f"away what there is of {branch}, but where its archive stands only with --allow-destroy {branch}: "
                "without that it finishes the branch."
            )
