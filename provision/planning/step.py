"""One step of a plan: what it does to which resource, why, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from provision.planning.resource import plain

if TYPE_CHECKING:
    from provision.planning.resource import Change, Existing, Ref, Resource

CREATE, UPDATE, DELETE = "create", "update", "delete"
LATE = "late"


@dataclass(frozen=True)
class Step:
    """One change of one resource.

    A resource that must be made anew is deleted by one step, which knows its `successor`, and created by another one. A
    step is `late` where it changes a resource through another one that is made meanwhile.
    """

    action: str
    ref: Ref
    name: str
    declared: Resource | None = field(default=None, repr=False)
    existing: Existing | None = field(default=None, repr=False)
    changes: tuple[Change, ...] = ()
    reason: str = ""
    loses: str = ""
    late: bool = False
    successor: Resource | None = field(default=None, repr=False)
    after: frozenset[tuple[str, Ref]] = frozenset()

    @property
    def kind(self) -> str:
        """The kind of its resource."""
        return self.ref.kind

    @property
    def key(self) -> str:
        """What its resource is for: a branch, `branch.login`, or nothing for the community's own."""
        return self.ref.key

    @property
    def branch(self) -> str:
        """The branch that it is for; empty for the community's own."""
        return self.ref.branch

    @cached_property
    def id(self) -> tuple[str, Ref]:
        """What other steps call it."""
        return (LATE if self.late else DELETE if self.action == DELETE else CREATE, self.ref)

    def to_json(self) -> dict[str, Any]:
        """The step for programs."""
        return {
            "action": self.action,
            "kind": self.kind,
            "key": self.key,
            "name": self.name,
            "changes": [{"field": c.field, "old": plain(c.old), "new": plain(c.new)} for c in self.changes],
            "reason": self.reason,
            "loses": self.loses,
        }

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.name}"
