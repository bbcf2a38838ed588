"""A branch network whose addresses are reserved from a network of the cloud's owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.errors import CloudError, CloudUnreachable
from provision.kind import MERGE
from provision.pools import POOLS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.declaring.addresses import AddressRange
    from provision.kind import Act
    from provision.planning.resource import Ref, Resource


def reserve(act: Act, resource: Resource, parent: Ref, ranges: Iterable[AddressRange]) -> int:
    """Make the network of a first range, mark it, and add the others; one that cannot be marked is taken away."""
    first, *others = ranges
    number = _reserved(act, resource, act.id_of(parent), first)
    try:
        act.finish("vn.update", number, act.text("network", resource, new=False), MERGE)
    except CloudError:
        act.finish("vn.delete", number)
        raise
    extend(act, resource, parent, number, others)
    return number


def _reserved(act: Act, resource: Resource, parent: int, first: AddressRange) -> int:
    """A new reservation; when the answer is lost it is looked up by its name, which nothing had before."""
    try:
        return int(act.call("vn.reserve", parent, act.text("reservation", resource, range=first, number=None)))
    except CloudUnreachable:
        call, arguments, tag = POOLS["vn"]
        networks = act.desk.cloud.read(call, *arguments).children(tag)
        of_parent = (each for each in networks if each.number("PARENT_NETWORK_ID") == parent)
        made = next((node.id for node in of_parent if node.name == resource.name), None)
        if made is None:
            raise
        return made


def extend(act: Act, resource: Resource, parent: Ref, number: int, ranges: Iterable[AddressRange]) -> None:
    """Reserve more addresses into a network that stands."""
    for each in ranges:
        text = act.text("reservation", resource, range=each, number=number)
        act.call("vn.reserve", act.id_of(parent), text)
