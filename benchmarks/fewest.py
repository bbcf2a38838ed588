"""The fewest changing calls that a plan can be carried out in, by the table in docs/provisioning.md."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter

    from provision.planning.plan import Plan
    from provision.planning.step import Step

TABLE = Path(__file__).parents[1] / "docs" / "provisioning.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| (\d+)((?: \+ [a-z]+)*) \|", re.MULTILINE)
#: The row of what is called around every apply.
HOLDING = "holding"


@cache
def rows() -> dict[str, tuple[int, tuple[str, ...]]]:
    """Kind to the calls that one needs, and the fields of which each entry needs one more."""
    found = ROW.findall(TABLE.read_text(encoding="utf-8"))
    return {kind: (int(calls), tuple(more.replace("+", "").split())) for kind, calls, more in found}


def fewest(the_plan: Plan) -> int:
    """The fewest changing calls for a plan that only creates."""
    return sum(_of(step) for step in the_plan) + rows()[HOLDING][0]


def longest_chain(the_plan: Plan) -> int:
    """The changing calls on the longest way from step to step, each of which waits for the one before."""
    ends: dict[object, int] = {}
    for step in the_plan:
        ends[step.id] = _of(step) + max((ends.get(each, 0) for each in step.after), default=0)
    return max(ends.values(), default=0) + rows()[HOLDING][0]


def _of(step: Step) -> int:
    assert step.declared is not None
    calls, more = rows()[step.kind]
    return calls + sum(len(getattr(step.declared.spec, field)) for field in more)


def changing(calls: Counter[str]) -> int:
    """How many of the calls that were made change something."""
    return sum(count for name, count in calls.items() if not reads(name))


def reads(name: str) -> bool:
    """Whether a call only reads."""
    return "info" in name or name.startswith("system.")
