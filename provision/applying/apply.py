"""Carry a plan out: independent steps side by side, every change read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.applying.holding import clear_away_the_dead, holding, undo_only
from provision.applying.rollback import interrupted, new_branches, outboxes_of, standing_now, steps_back, unfinished
from provision.applying.take import Outcome, Progress, take
from provision.enrolling.restored import newest_directory
from provision.errors import Blocked, CloudChanged, NotFinished
from provision.kind import Act
from provision.kinds.keys import PUBLIC
from provision.planning.found import Found, found
from provision.planning.resource import Ref
from provision.planning.view import NAMED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.community import CommunityKeys
    from provision.applying.holding import Held
    from provision.desk import Desk
    from provision.enrolling.published import NewInvitation
    from provision.planning.plan import Plan

    #: Told of each step that was taken.
    Say = Callable[[Progress], None]


@dataclass(frozen=True)
class Applied:
    """What an apply did.

    Attributes
    ----------
    steps
        How many were taken.
    after
        The plan right after it, which is empty.
    recovery_file
        Where a new community's recovery secret was written.
    notes
        What the admin has to know.
    invitations
        Of people who are new in settings that were published.
    """

    steps: int
    after: Plan
    recovery_file: Path | None = None
    notes: tuple[str, ...] = ()
    invitations: tuple[NewInvitation, ...] = ()


def apply(
    desk: Desk,
    the_plan: Plan,
    on_progress: Say | None = None,
    *,
    allow: frozenset[str] = frozenset(),
    take_over: bool = False,
    rollback: bool = False,
) -> Applied:
    """Bring about what a plan says.

    Parameters
    ----------
    allow
        Branches whose archive may be lost.
    take_over
        Take the place of another admin's apply that is known to be dead.
    rollback
        Take away again what was made of new branches that cannot be finished, and of nothing else. When that is
        interrupted, the next apply does it first, but never to a branch that was whole once, nor to one whose archive
        stands and is not in `allow`.

    Raises
    ------
    Blocked
        When the plan cannot be carried out, or would lose an archive without leave; nothing was changed.
    Busy
        When another admin applies; nothing was changed.
    CloudChanged
        When more is to be done now than the plan shows, also because a rollback that was interrupted had to be
        finished; nothing else was changed.
    NotFinished
        When steps failed, or were accepted and not done; the next apply goes on from there.
    """
    refuse(the_plan, allow)
    desk.identity.keep()
    if not the_plan:
        clear_away_the_dead(desk, the_plan.community, take_over=take_over)
        return Applied(0, the_plan)
    say = on_progress or _silent
    new = new_branches(the_plan) if rollback else frozenset()
    with holding(desk, the_plan.community, _making(the_plan), new, take_over=take_over) as held:
        now = found(desk, the_plan.community)
        fresh = the_plan.again(now)
        _undo_what_the_dead_left(desk, held, fresh, now, allow, new, say)
        if not fresh.within(the_plan):
            raise CloudChanged("the cloud has changed since this plan was made: look at a new plan")
        act = acting(desk, now, fresh, held.document)
        held.stays = bool(new)
        outcome = take(fresh.steps, act, say)
        after, undone = _read_back(desk, held, fresh, new, say)
    _check(outcome, after, undone)
    return Applied(outcome.done, after, act.recovery_file, tuple(act.notes), tuple(act.invitations))


def _undo_what_the_dead_left(
    desk: Desk, held: Held, left: Plan, now: Found, allow: frozenset[str], new: frozenset[str], say: Say
) -> None:
    """Finish a rollback that was interrupted, which changes the cloud; from then on only new branches are undone."""
    if undone := _roll_back(desk, held, interrupted(held.undoing, left, now, allow), now, left, say):
        raise CloudChanged(f"a rollback that was interrupted is finished ({undone}): look at a new plan")
    if held.undoing:
        undo_only(desk, held.document, new)


def _read_back(desk: Desk, held: Held, the_plan: Plan, new: frozenset[str], say: Say) -> tuple[Plan, str]:
    """What is left to do, and which new branches were undone because something is."""
    now = found(desk, the_plan.community)
    after = the_plan.again(now)
    return after, _roll_back(desk, held, unfinished(new, after, now), now, after, say)


def _roll_back(desk: Desk, held: Held, branches: frozenset[str], now: Found, left: Plan, say: Say) -> str:
    """Take away what was made of new branches that are not finished; in words, nothing where there are none."""
    existing = standing_now(left, now)
    steps = steps_back(branches, existing)
    if steps:
        held.stays = True
        outcome = take(steps, acting(desk, now, left, held.document), say)
        if outcome.failures:
            raise NotFinished([f"rolling back: {failure}" for failure in outcome.failures], outcome.done, len(steps))
        held.stays = False
    for folder in outboxes_of(branches, existing):
        desk.store.remove_folder(folder)  # one that is not empty stays
    if not steps:
        return ""
    return f"{', '.join(sorted(branches))}: {len(steps)} things were taken away again"


def refuse(the_plan: Plan, allow: frozenset[str]) -> None:
    """Raise `Blocked` for what cannot be done, or may not be."""
    lost = [step for step in the_plan.losses if step.key not in allow]
    words = [f"{step} loses {step.loses}: say --allow-destroy {step.key} if that is meant" for step in lost]
    if the_plan.obstacles or words:
        raise Blocked([*the_plan.obstacles, *words])


def acting(desk: Desk, now: Found, the_plan: Plan, document: int) -> Act:
    """What the steps work with: ids of all that stands, and the community's public keys."""
    pools = now.pools
    named = {Ref(kind, node.name): node.id for kind, pool in NAMED.items() for node in reversed(pools.nodes[pool])}
    keys = {Ref("keys", name): text for name in PUBLIC if (text := now.view.key_text(name))}
    return Act(
        desk=desk,
        community=now.community,
        zone=pools.zone,
        default_mode=pools.default_mode,
        own_gid=now.view.gid,
        holding=document,
        unmeasured=frozenset(node.id for node in pools.nodes["datastore"] if node.number("TOTAL_MB", 0) == 0),
        published=now.view.published,
        opened_keys=lambda: _opened(now),
        newest_directory=lambda: newest_directory(now),
        ids=named | dict(the_plan.standing),
        values=keys,
    )


def _opened(now: Found) -> CommunityKeys:
    assert now.keys is not None, "only enrolled branches have settings, and only keys enrol"
    return now.keys


def _making(the_plan: Plan) -> list[str]:
    """The names of what OpenNebula makes without a mark: to be made, or being made when an apply died."""
    kinds = {"group", "cloud-user", "network"}
    return list(dict.fromkeys(step.name for step in the_plan if step.kind in kinds and step.action != "delete"))


def _check(outcome: Outcome, after: Plan, undone: str) -> None:
    """Raise `NotFinished` unless all was done, and stands as declared."""
    missing = [f"{step}: the cloud accepted it and did not do it ({_differences(step)})" for step in after]
    failures = outcome.failures or missing
    if failures:
        raise NotFinished([*failures, *([undone] if undone else [])], outcome.done, len(after))


def _differences(step: object) -> str:
    changes = getattr(step, "changes", ())
    return ", ".join(f"{each.field} is {each.old}, not {each.new}" for each in changes) or "it is not there"


def _silent(_progress: Progress) -> None:
    """No one watches."""
