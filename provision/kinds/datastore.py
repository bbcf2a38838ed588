"""The datastores that a community has made for itself, in place of the cloud's: one for images, one for VMs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from provision.kind import MERGE, Kind, renaming
from provision.planning.marks import object_name
from provision.planning.resource import Existing, Ref, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.kind import Act
    from provision.planning.storage import Ceph
    from provision.planning.view import View

#: Storage to the drivers of its image datastore (DS_MAD, TM_MAD) and of its system datastore (TM_MAD).
DRIVERS = {"local": ("fs", "local"), "shared": ("fs", "shared"), "ceph": ("ceph", "ceph")}

#: What Ceph's drivers have to know, and hold back from a merge that would leave it as it was.
CEPH = ("POOL_NAME", "CEPH_HOST", "CEPH_USER", "CEPH_SECRET", "BRIDGE_LIST")

IMAGES, SYSTEM = "image-datastore", "system-datastore"


@dataclass(frozen=True, order=True)
class Attribute:
    """One attribute that a driver reads."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name} {self.value}"


@dataclass(frozen=True)
class Datastore:
    """How a datastore is; `driver` is empty where it is for VMs."""

    driver: str
    transfer: str
    attributes: frozenset[Attribute]
    clusters: frozenset[Ref]

    @property
    def type(self) -> str:
        """OpenNebula's word for what it holds."""
        return "IMAGE_DS" if self.driver else "SYSTEM_DS"

    @property
    def disk_type(self) -> str:
        """OpenNebula's word for what its disks are."""
        return "RBD" if self.transfer == "ceph" else "FILE"

    @property
    def shared(self) -> bool:
        """Whether each host sees it."""
        return self.transfer != "local"


def images_of(community: Community) -> Ref:
    """Where a community's images lie."""
    made = community.datastores.make is not None
    return Ref(IMAGES) if made else Ref("datastore", community.datastores.images)


def system_of(community: Community) -> Ref:
    """Where the disks of its running VMs lie."""
    made = community.datastores.make is not None
    return Ref(SYSTEM) if made else Ref("datastore", community.datastores.system)


def declared(kind: str, community: Community) -> Iterator[Resource]:
    """One datastore, where the community has its own made."""
    storage = community.datastores.make
    if storage is None:
        return
    driver, transfer = DRIVERS[storage.storage]
    spec = Datastore(
        driver=driver if kind == IMAGES else "",
        transfer=transfer,
        attributes=frozenset(_ceph(storage.ceph)) if storage.ceph else frozenset(),
        clusters=frozenset({Ref("cluster", community.cloud.cluster)}),
    )
    yield Resource(Ref(kind), object_name(community.community, "images" if kind == IMAGES else "system"), spec)


def _ceph(ceph: Ceph) -> Iterator[Attribute]:
    yield Attribute("POOL_NAME", ceph.pool)
    yield Attribute("CEPH_HOST", " ".join(ceph.monitors))
    yield Attribute("CEPH_USER", ceph.user)
    yield Attribute("CEPH_SECRET", ceph.secret)
    yield Attribute("BRIDGE_LIST", " ".join(ceph.bridges))


def found(kind: str, view: View) -> Iterator[Existing]:
    """The datastore, if it stands."""
    for key, node in view.ours(kind):
        told = node.attributes()
        spec = Datastore(
            driver=node.text("DS_MAD") if kind == IMAGES else "",
            transfer=node.text("TM_MAD"),
            attributes=frozenset(Attribute(name, str(told[name])) for name in CEPH if name in told),
            clusters=frozenset(view.ref("cluster", number) for number in node.ids("CLUSTERS")),
        )
        yield Existing(Ref(kind, key), node.name, spec, node.id, key, node)


def create(act: Act, resource: Resource) -> int:
    """Make the datastore in its cluster, with its mark."""
    return allocate(act, resource, "datastore")


def allocate(act: Act, resource: Resource, template: str) -> int:
    """Make a datastore of any kind from the template of its attributes."""
    (cluster,) = resource.spec.clusters
    return int(act.call("datastore.allocate", act.text(template, resource, new=True), act.id_of(cluster)))


def rewrite(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
    """Write what the drivers read anew; what they added stays."""
    act.call("datastore.update", number, act.text("datastore", resource, new=False), MERGE)


def set_clusters(act: Act, resource: Resource, number: int, found: Existing | None) -> None:
    """Put the datastore into its cluster, and out of any other."""
    before: frozenset[Ref] = found.spec.clusters if found else frozenset()
    for ref in sorted(resource.spec.clusters - before):
        act.call("cluster.adddatastore", act.id_of(ref), number)
    for ref in sorted(before - resource.spec.clusters):
        act.call("cluster.deldatastore", act.id_of(ref), number)


def remove(act: Act, found: Existing) -> None:
    """Delete the datastore, once nothing lies in it."""
    act.call("datastore.delete", found.id)


def _kind(name: str) -> Kind:
    return Kind(
        name=name,
        declared=partial(declared, name),
        found=partial(found, name),
        create=create,
        in_place={
            "key": rewrite,
            "attributes": rewrite,
            "name": renaming("datastore"),
            "clusters": set_clusters,
        },
        remove=remove,
    )


IMAGE_DATASTORE = _kind(IMAGES)
SYSTEM_DATASTORE = _kind(SYSTEM)
