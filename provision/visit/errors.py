"""What can go wrong while appliances are looked after, beside their not being reachable."""

from __future__ import annotations

from provision.errors import ProvisionError


class NotUpgraded(ProvisionError):
    """An appliance serves with the version that it had, or a version cannot be sent."""


class Unsettled(ProvisionError):
    """A branch was stopped for an upgrade, and nobody knows that it serves again: no other is stopped after it."""


class NotServing(NotUpgraded, Unsettled):
    """An appliance does not serve with any version, or serves with one that does not become ready."""
