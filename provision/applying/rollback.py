"""Undo what a new branch had so far when making it failed; nothing that stood before is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.kinds.table import KINDS
from provision.planning.comparison import steps_between
from provision.planning.renaming import renamed
from provision.planning.resource import Ref
from provision.planning.step import CREATE, DELETE
from provision.planning.undoing import ever_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provision.planning.found import Found
    from provision.planning.plan import Plan
    from provision.planning.resource import Existing
    from provision.planning.step import Step


def new_branches(the_plan: Plan) -> frozenset[str]:
    """The branches of which nothing stands that an apply could take away again."""
    made = {step.key for step in the_plan if step.kind == "group" and step.action == "create"}
    known = {ref.branch for ref in the_plan.standing if KINDS[ref.kind].remove is not None}
    return frozenset(made - known)


def unfinished(branches: Iterable[str], left: Plan, found: Found) -> frozenset[str]:
    """Those of some branches, all new in this apply, for which something is still to be done."""
    lacking = frozenset(branches) & {step.branch for step in left}
    enrolled = found.view.published.enrolled
    return frozenset(name for name in lacking if found.view.first_name(left.former.get(name, name)) not in enrolled)


def interrupted(branches: Iterable[str], left: Plan, found: Found, allow: frozenset[str]) -> frozenset[str]:
    """Those that an apply which died was to undo, and that were never whole.

    What is left to do may be towards another declaration, weeks later: so only what is still to be made counts, and an
    archive is lost with leave alone. Without it such a branch is finished, and not undone.
    """
    lacking = {step.branch for step in left if step.action == CREATE and step.ref not in left.standing}
    half_made = {name for name in branches if name in lacking and not ever_whole(left.former.get(name, name), found)}
    existing = standing_now(left, found)
    return frozenset(name for name in half_made if name in allow or Ref("archive", name) not in existing)


def standing_now(left: Plan, found: Found) -> dict[Ref, Existing]:
    """What stands, by what the branches are called in the file: one whose VDC was not made is known by its first."""
    return dict(renamed(found.resources, left.former, {each.ref: each for each in left.declared}))


def outboxes_of(branches: frozenset[str], existing: Mapping[Ref, Existing]) -> Iterator[str]:
    """The folders in the exchange that branches have, which bear their first names."""
    return (each.name for ref, each in existing.items() if ref.kind == "outbox-folder" and ref.branch in branches)


def steps_back(branches: frozenset[str], existing: Mapping[Ref, Existing]) -> tuple[Step, ...]:
    """The steps that take away all that was made for branches."""
    kept = {ref: each for ref, each in existing.items() if ref.branch not in branches}
    steps = steps_between(kept, existing)
    return tuple(step for step in steps if step.action == DELETE and step.branch in branches)
