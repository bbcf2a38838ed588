"""A branch's outbox in the exchange: the folder that its outbox image hands to its appliance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exchange import places
from provision.kind import Kind
from provision.planning.resource import Existing, Ref, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.declaring.sizes import Size
    from provision.kind import Act
    from provision.planning.view import View


@dataclass(frozen=True)
class OutboxFolder:
    """A folder that stands; where it lies and how much it may hold is what its file server is to be told."""

    path: str = field(default="", compare=False)
    limit: Size | None = field(default=None, compare=False)


def declared(community: Community) -> Iterator[Resource]:
    """An outbox for each branch."""
    for name in community.branches:
        outbox = places.outbox_of(community.first_name(name))
        spec = OutboxFolder(f"{community.exchange.path}/{outbox}", community.exchange.outbox)
        yield Resource(Ref("outbox-folder", name), outbox, spec)


def found(view: View) -> Iterator[Existing]:
    """The outboxes that stand, also of branches that are gone, whose names no other has now."""
    for first in sorted(view.outboxes):
        name = view.present_name(first)
        if not view.is_anothers(first):
            yield Existing(Ref("outbox-folder", name), places.outbox_of(first), OutboxFolder(), -1, name)


def create(act: Act, resource: Resource) -> int:
    """Make the folder in the exchange."""
    places.prepare(act.desk.store, [resource.name.rpartition("/")[2]])
    return -1


KIND = Kind(name="outbox-folder", declared=declared, found=found, create=create, in_place={})
