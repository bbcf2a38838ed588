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

#: Who an appliance's service, its user 800, is on the file server. With virtiofs libvirt maps a guest's users there.
SERVICE_USER = {"virtiofs": 100800, "nfs": 800}


@dataclass(frozen=True)
class OutboxFolder:
    """A folder that stands; where it lies, how much it may hold and whose it is are what its file server is told."""

    path: str = field(default="", compare=False)
    limit: Size | None = field(default=None, compare=False)
    owner: int = field(default=0, compare=False)


def declared(community: Community) -> Iterator[Resource]:
    """An outbox for each branch."""
    for name in community.branches:
        outbox = places.outbox_of(community.first_name(name))
        yield Resource(Ref("outbox-folder", name), outbox, declared_for(community, name))


def declared_for(community: Community, name: str) -> OutboxFolder:
    """One branch's, as its file server is to be told."""
    exchange = community.exchange
    place = places.outbox_of(community.first_name(name))
    return OutboxFolder(f"{exchange.path}/{place}", exchange.outbox, SERVICE_USER[exchange.driver])


def giving(outbox: OutboxFolder) -> str:
    """What makes a branch's service the owner of its outbox."""
    return f"on the file server, as root, chown {outbox.owner}:{outbox.owner} {outbox.path}"


def found(view: View) -> Iterator[Existing]:
    """The outboxes that stand, also of branches that are gone, whose names no other has now."""
    for first in sorted(view.outboxes):
        name = view.present_name(first)
        if not view.is_anothers(first):
            yield Existing(Ref("outbox-folder", name), places.outbox_of(first), OutboxFolder(), -1, name)


def create(act: Act, resource: Resource) -> int:
    """Make the folder in the exchange, and the appliance's service its owner: else no referral would ever leave."""
    places.prepare(act.desk.store, [resource.name.rpartition("/")[2]])
    if not act.desk.store.give_folder(resource.name, resource.spec.owner):
        command = giving(resource.spec)
        words = f"No referral leaves {resource.ref.key} until its appliance may write in its outbox: {command}"
        act.notes.append(words)
        act.desk.notes.append(words)
    return -1


KIND = Kind(name="outbox-folder", declared=declared, found=found, create=create, in_place={})
