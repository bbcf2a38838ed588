"""What has to be done so that the cloud becomes what is declared: a pure comparison."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.kinds.cloud_user import conditions_of_accounts
from provision.kinds.table import KINDS, declared_resources
from provision.planning.comparison import steps_between
from provision.planning.conditions import conditions
from provision.planning.losses import archives_left_behind
from provision.planning.obstacles import obstacles
from provision.planning.renaming import lost_names, renamed
from provision.planning.taken_names import after_renaming, held_up, without

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.declaring.community import Community
    from provision.planning.found import Found
    from provision.planning.resource import Ref, Resource
    from provision.planning.step import Step


@dataclass(frozen=True)
class Plan:
    """Steps in an order in which they can be done.

    Attributes
    ----------
    steps
        What would be done; none where the cloud is as declared.
    standing
        The ids of what stands already, under the branches' present names.
    conditions
        What is worth knowing and is not drift.
    foreign
        What was found that looks like ours and is not; it is left alone.
    obstacles
        Why the plan cannot be carried out, with what to do about it.
    """

    community: str
    declared: tuple[Resource, ...] = field(repr=False)
    former: Mapping[str, str]
    steps: tuple[Step, ...]
    standing: Mapping[Ref, int] = field(default_factory=dict, repr=False)
    conditions: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __bool__(self) -> bool:
        return bool(self.steps)

    @property
    def losses(self) -> tuple[Step, ...]:
        """The steps that lose a branch's archive."""
        return tuple(step for step in self.steps if step.loses)

    def within(self, shown: Plan) -> bool:
        """Whether it does nothing that another plan does not do: less may be left to do than was shown."""
        told = {json.dumps(step.to_json(), sort_keys=True) for step in shown}
        return all(json.dumps(step.to_json(), sort_keys=True) in told for step in self)

    def again(self, found: Found) -> Plan:
        """The plan towards the same declaration, from what is found now."""
        return plan_towards(self.declared, self.former, found)

    def to_json(self) -> list[dict[str, Any]]:
        """The steps for programs; an empty list where nothing is to be done."""
        return [step.to_json() for step in self.steps]


def plan(community: Community, found: Found) -> Plan:
    """The steps from what was found to what a community declares."""
    return plan_towards(tuple(declared_resources(community)), former_names(community, found), found)


def former_names(community: Community, found: Found) -> dict[str, str]:
    """What the branches are called in the cloud that are called otherwise now; each is known by its first name."""
    called = {name: found.view.present_name(community.first_name(name)) for name in community.branches}
    return {name: before for name, before in called.items() if before != name}


def plan_towards(declared: tuple[Resource, ...], former: Mapping[str, str], found: Found) -> Plan:
    """The steps from what was found to declared resources; `former` tells names that branches had before."""
    wanted = _wanted(declared, found)
    existing = dict(renamed(found.resources, former, wanted))
    steps = after_renaming(steps_between(wanted, existing))
    waiting = held_up(steps, found)
    steps = without(steps, waiting)
    return Plan(
        community=found.community,
        declared=declared,
        former=former,
        steps=tuple(steps),
        standing={ref: each.id for ref, each in existing.items()},
        conditions=(*conditions(wanted, found), *conditions_of_accounts(declared, found.view), *waiting.values()),
        foreign=found.foreign,
        obstacles=(
            *lost_names(declared, existing),
            *archives_left_behind(steps, former, found),
            *obstacles(wanted, steps, found),
        ),
    )


def _wanted(declared: tuple[Resource, ...], found: Found) -> dict[Ref, Resource]:
    """What of the declaration can be had now; what waits for a condition is left out."""
    narrowed = (KINDS[each.ref.kind].narrowed(each, found.view) for each in declared)
    return {each.ref: each for each in narrowed if not KINDS[each.ref.kind].waits(each, found.view)}
