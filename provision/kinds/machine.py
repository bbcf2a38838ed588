"""What a VM template and a VM have in common: size, disks, network card and context."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from provision.kinds.image import os_image_key
from provision.kinds.vm_group import Membership, membership
from provision.node import first, vectors
from provision.planning.resource import Ref

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.node import Attributes
    from provision.planning.resource import Resource
    from provision.planning.view import View

#: The community's public keys in a context, by the name that the keys document gives them as well.
PUBLIC_KEYS = ("GURNEY_COMMUNITY_KEY", "GURNEY_RECOVERY_KEY")
#: The networks that an appliance's own firewall lets administer it.
ADMIN_NETWORKS = "GURNEY_ADMIN_NETWORKS"
#: Where the exchange is, when it is no folder of the host: nfs://server/path.
REMOTE_EXCHANGE = "GURNEY_EXCHANGE"
#: Whom an appliance asks the time.
TIME_SERVERS = "NTP_SERVERS"
#: In which zone its staff read times.
TIME_ZONE = "GURNEY_TIME_ZONE"
#: Entries of the context that Gurney writes; all others are OpenNebula's.
OURS = (
    "SET_HOSTNAME",
    "GURNEY_COMMUNITY",
    "GURNEY_BRANCH",
    "GURNEY_AE_TITLE",
    ADMIN_NETWORKS,
    REMOTE_EXCHANGE,
    TIME_SERVERS,
    TIME_ZONE,
    *PUBLIC_KEYS,
)


@dataclass(frozen=True)
class Disk:
    """One disk of a machine; a folder has a tag by which the guest mounts it."""

    image: Ref
    tag: str = ""
    point: str = ""
    readonly: bool = False

    def __str__(self) -> str:
        return f"{self.image} at {self.point}" if self.point else str(self.image)


@dataclass(frozen=True)
class Card:
    """A network card."""

    network: Ref
    ip: str

    def __str__(self) -> str:
        return f"{self.ip} in {self.network}"


@dataclass(frozen=True)
class Entry:
    """One entry of a context; the value is a text, or the public key that stands for one."""

    name: str
    value: str | Ref

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


@dataclass(frozen=True)
class Machine:
    """What of a machine is declared."""

    cpu: float
    memory_mib: int
    disks: tuple[Disk, ...]
    cards: tuple[Card, ...]
    context: tuple[Entry, ...]
    apart: Membership | None
    """Its place in the VM group that keeps it off other appliances' hosts."""
    token: bool
    """Whether the guest gets a token to report to OneGate with."""


def declared_machine(community: Community, name: str) -> dict[str, Any]:
    """The fields of a `Machine` that is a branch's appliance. The order of its disks is what the appliance expects."""
    branch = community.branches[name]
    capacity = community.capacity(name)
    context = {
        "SET_HOSTNAME": name,
        "GURNEY_COMMUNITY": community.community,
        "GURNEY_BRANCH": community.first_name(name),
        "GURNEY_AE_TITLE": branch.ae_title,
    }
    if community.cloud.management:
        context[ADMIN_NETWORKS] = " ".join(str(network) for network in community.cloud.management)
    if community.exchange.server is not None:
        context[REMOTE_EXCHANGE] = f"nfs://{community.exchange.server}{community.exchange.path}"
    if servers := branch.time or community.time:
        context[TIME_SERVERS] = " ".join(servers)
    if zone := branch.timezone or community.timezone:
        context[TIME_ZONE] = zone
    return {
        "cpu": capacity.cpu,
        "memory_mib": capacity.memory.mib,
        "disks": (
            Disk(Ref("appliance-image", os_image_key(community.image.source))),
            Disk(Ref("archive", name)),
            *(_folders(name) if community.by_virtiofs else ()),
        ),
        "cards": (Card(Ref("network", name), str(branch.network.appliance)),),
        "context": (
            *(Entry(entry, value) for entry, value in context.items()),
            *(Entry(entry, Ref("keys", entry)) for entry in PUBLIC_KEYS),
        ),
        "apart": membership(community, name),
        "token": True,
    }


def _folders(name: str) -> tuple[Disk, Disk]:
    """The exchange for reading, and the branch's own part of it for writing."""
    whole = Disk(Ref("exchange-image"), "exchange", "/mnt/exchange", readonly=True)
    return whole, Disk(Ref("outbox", name), "outbox", "/mnt/outbox")


def narrowed(resource: Resource, view: View) -> Resource:
    """The same without a token where the cloud has no OneGate."""
    return replace(resource, spec=replace(resource.spec, token=view.pools.has_onegate))


def found_machine(view: View, attributes: Attributes) -> dict[str, Any]:
    """The fields of a `Machine` that a template or a VM describes."""
    context = next(iter(vectors(attributes, "CONTEXT")), {})
    return {
        "cpu": float(first(attributes, "CPU") or 0),
        "memory_mib": int(first(attributes, "MEMORY") or 0),
        "disks": tuple(_disk(view, disk) for disk in vectors(attributes, "DISK")),
        "cards": tuple(_card(view, card) for card in vectors(attributes, "NIC")),
        "context": tuple(_entries(view, context)),
        "apart": next((_membership(view, group) for group in vectors(attributes, "VMGROUP")), None),
        "token": context.get("TOKEN", "").upper() == "YES",
    }


def _disk(view: View, disk: dict[str, str]) -> Disk:
    image = view.ref("image", int(disk.get("IMAGE_ID") or -1))
    if image.kind not in {"exchange-image", "outbox"}:
        return Disk(image)
    readonly = disk.get("READONLY", "").upper() == "YES"
    return Disk(image, disk.get("MOUNT_TAG", ""), disk.get("MOUNT_POINT", ""), readonly)


def _membership(view: View, group: dict[str, str]) -> Membership:
    return Membership(view.ref("vmgroup", int(group.get("VMGROUP_ID") or -1)), group.get("ROLE", ""))


def _card(view: View, card: dict[str, str]) -> Card:
    return Card(view.ref("vn", int(card.get("NETWORK_ID") or -1)), card.get("IP", ""))


def _entries(view: View, context: dict[str, str]) -> Iterator[Entry]:
    for name in OURS:
        if name in context:
            ours = name in PUBLIC_KEYS and context[name] == view.key_text(name) != ""
            yield Entry(name, Ref("keys", name) if ours else context[name])
