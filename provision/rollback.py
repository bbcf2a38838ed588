"""Undo what a new branch had so far when making it failed; nothing that stood before is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.comparison import steps_between
from provision.kinds.table import KINDS
from provision.step import DELETE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provision.found import Found
    from provision.plan import Plan
    from provision.resource import Existing, Ref
    from provision.step import Step


def branch_of(ref: Ref) -> str:
    """The branch that a resource is for; a cloud user's key is `branch.login`."""
    return ref.key.partition(".")[0]


def new_branches(the_plan: Plan) -> frozenset[str]:
    """The branches of which nothing stands that an apply could take away again."""
    made = {step.key for step in the_plan if step.kind == "group" and step.action == "create"}
    known = {branch_of(ref) for ref in the_plan.standing if KINDS[ref.kind].remove is not None}
    return frozenset(made - known)


def unfinished(branches: Iterable[str], left: Plan) -> frozenset[str]:
    """Those of some branches for which something is still to be made."""
    return frozenset(branches) & {branch_of(step.ref) for step in left}


def steps_back(branches: frozenset[str], found: Found) -> tuple[Step, ...]:
    """The steps that take away all that was made for branches."""
    existing: Mapping[Ref, Existing] = found.resources
    kept = {ref: each for ref, each in existing.items() if branch_of(ref) not in branches}
    steps = steps_between(kept, existing)
    return tuple(step for step in steps if step.action == DELETE and branch_of(step.ref) in branches)
