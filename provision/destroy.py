"""Take a community's things away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.plan import plan_towards

if TYPE_CHECKING:
    from provision.found import Found
    from provision.plan import Plan


def plan_to_destroy(found: Found) -> Plan:
    """The steps that take away all that Gurney made for a community; what lies in the exchange's folders stays."""
    return plan_towards((), {}, found)
