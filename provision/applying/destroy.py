"""Take a community's things away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.planning.plan import plan_towards

if TYPE_CHECKING:
    from provision.planning.found import Found
    from provision.planning.plan import Plan


def plan_to_destroy(found: Found) -> Plan:
    """The steps that take away all that Gurney made for a community; what lies in the exchange's folders stays."""
    return plan_towards((), {}, found)
