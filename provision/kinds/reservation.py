"""A branch network whose addresses are reserved from a network of the cloud's owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.errors import CloudError
from provision.kind import MERGE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.addresses import AddressRange
    from provision.kind import Act
    from provision.resource import Ref, Resource


def reserve(act: Act, resource: Resource, parent: Ref, ranges: Iterable[AddressRange]) -> int:
    """Make the network of a first range, mark it, and add the others; one that cannot be marked is taken away."""
    first, *others = ranges
    source = act.id_of(parent)
    number = int(act.call("vn.reserve", source, act.text("reservation", resource, range=first, number=None)))
    try:
        act.call("vn.update", number, act.text("network", resource, new=False), MERGE)
    except CloudError:
        act.call("vn.delete", number)
        raise
    extend(act, resource, parent, number, others)
    return number


def extend(act: Act, resource: Resource, parent: Ref, number: int, ranges: Iterable[AddressRange]) -> None:
    """Reserve more addresses into a network that stands."""
    for each in ranges:
        text = act.text("reservation", resource, range=each, number=number)
        act.call("vn.reserve", act.id_of(parent), text)
