"""The datastore that hands the hosts' exchange folder to VMs by virtiofs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.kind import MERGE, Kind, renaming
from provision.kinds.datastore import allocate, set_clusters
from provision.planning.marks import object_name
from provision.planning.resource import Existing, Ref, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.kind import Act
    from provision.planning.view import View


@dataclass(frozen=True)
class ExchangeDatastore:
    """How the exchange's datastore is."""

    driver: str
    safe_folders: str
    clusters: frozenset[Ref]


def declared(community: Community) -> Iterator[Resource]:
    """One datastore for the community, where its hosts hand the exchange to the VMs."""
    if not community.by_virtiofs:
        return
    spec = ExchangeDatastore(
        driver=community.exchange.driver,
        safe_folders=community.exchange.path,
        clusters=frozenset({Ref("cluster", community.cloud.cluster)}),
    )
    yield Resource(Ref("exchange"), object_name(community.community, "exchange"), spec)


def found(view: View) -> Iterator[Existing]:
    """The datastore, if it stands."""
    for key, node in view.ours("exchange"):
        spec = ExchangeDatastore(
            driver=node.text("DS_MAD"),
            safe_folders=str(node.attributes().get("SAFE_DIRS", "")),
            clusters=frozenset(view.ref("cluster", number) for number in node.ids("CLUSTERS")),
        )
        yield Existing(Ref("exchange", key), node.name, spec, node.id, key, node)


def create(act: Act, resource: Resource) -> int:
    """Make the datastore in its cluster, with its mark."""
    return allocate(act, resource, "exchange")


def rewrite(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
    """Write the attributes anew; what the drivers added stays."""
    act.call("datastore.update", number, act.text("exchange", resource, new=False), MERGE)


def remove(act: Act, found: Existing) -> None:
    """Delete the datastore; the folder on the hosts stays."""
    act.call("datastore.delete", found.id)


KIND = Kind(
    name="exchange",
    declared=declared,
    found=found,
    create=create,
    in_place={"key": rewrite, "safe_folders": rewrite, "name": renaming("datastore"), "clusters": set_clusters},
    remove=remove,
)
