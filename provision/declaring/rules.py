"""What must hold between the parts of a community, beyond each value being right by itself."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from provision.declaring.addresses import usable
from provision.declaring.community import LAST_ID, Branch, Community

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from ipaddress import IPv4Address

    from provision.declaring.placed import Path

Found = tuple["Path", str]

#: one.vm.backup of 7.4: "Cannot backup VM with FILESYSTEM disks".
NO_BACKUP_OF_FOLDERS = (
    "OpenNebula cannot back up a VM with a virtiofs disk: let the appliances reach the exchange by NFS (exchange: "
    "{driver: nfs, server: ...}), or leave this out and keep snapshots of the datastore of the archives, by its storage"
)

#: OpenNebula's include/VMGroupRole.h, MAX_ROLES.
MOST_ROLES = 32


@dataclass(frozen=True)
class Draft:
    """A community as far as it can be read, and the names of all its branches, the unreadable ones too."""

    community: Community
    names: frozenset[str]


def one_image_source(draft: Draft) -> Iterator[Found]:
    """An image comes from one place."""
    image = draft.community.image
    given = [name for name in ("path", "url", "marketplace") if getattr(image, name) is not None]
    if len(given) != 1:
        yield ("image",), f"give exactly one of path, url and marketplace (here: {', '.join(given) or 'none'})"


def one_way_to_store(draft: Draft) -> Iterator[Found]:
    """Datastores are the cloud's own or made for the community; Ceph is told where it is."""
    places = draft.community.datastores
    if places.make is None:
        return
    if (places.images, places.system) != ("default", "system"):
        yield ("datastores",), "give either `make`, or the names of `images` and `system`"
    if (places.make.storage == "ceph") != (places.make.ceph is not None):
        yield ("datastores", "make"), "`ceph` says where a Ceph cluster is: with storage ceph, and with no other"


def reachable_exchange(draft: Draft) -> Iterator[Found]:
    """NFS is spoken to a server; folders of the hosts need none."""
    exchange = draft.community.exchange
    if exchange.driver == "nfs" and exchange.server is None:
        yield ("exchange",), "the driver nfs needs `server`, the address of the NFS server"
    elif exchange.driver == "virtiofs" and exchange.server is not None:
        yield (
            ("exchange", "server"),
            "the driver virtiofs has no server: its folder is on the hosts (or say driver: nfs)",
        )


def backups_that_can_be(draft: Draft) -> Iterator[Found]:
    """OpenNebula refuses to back up a VM with a folder of its host among its disks."""
    backup = draft.community.backup
    if backup is None:
        return
    if draft.community.by_virtiofs:
        yield ("backup",), NO_BACKUP_OF_FOLDERS
    if not backup.days:
        yield ("backup", "days"), "name one day or more"
    for index, day in enumerate(backup.days):
        if day in backup.days[:index]:
            yield ("backup", "days", index), f"{day!r} stands here a second time"


def known_branches(draft: Draft) -> Iterator[Found]:
    """Referrals name branches of this file, and no branch refers to itself."""
    for index, rule in enumerate(draft.community.referrals or ()):
        if rule.sender not in draft.names:
            yield ("referrals", index, "from"), f"there is no branch {rule.sender!r}"
        for place, recipient in enumerate(rule.to):
            if recipient not in draft.names:
                yield ("referrals", index, "to", place), f"there is no branch {recipient!r}"
            elif recipient == rule.sender:
                yield ("referrals", index, "to", place), f"{recipient!r} cannot refer to itself"


def kept_apart(draft: Draft) -> Iterator[Found]:
    """Branches that are kept apart are branches of this file, each once in a set."""
    named = {name for names in draft.community.apart for name in names}
    if len(named) > MOST_ROLES:
        yield ("apart",), f"{len(named)} branches are named; a VM group of OpenNebula has at most {MOST_ROLES} roles"
    for index, names in enumerate(draft.community.apart):
        if len(names) < 2:
            yield ("apart", index), "name two branches or more: each is kept apart from the others"
        for place, name in enumerate(names):
            if name not in draft.names:
                yield ("apart", index, place), f"there is no branch {name!r}"
            elif name in names[:place]:
                yield ("apart", index, place), f"{name!r} stands here a second time"


def separate_networks(draft: Draft) -> Iterator[Found]:
    """No two branches' networks overlap."""
    for (a, first), (b, second) in combinations(draft.community.branches.items(), 2):
        if first.network.cidr.overlaps(second.network.cidr):
            yield ("branches", b, "network", "cidr"), f"overlaps the network of {a}, {first.network.cidr}"


def own_vlan(draft: Draft) -> Iterator[Found]:
    """A branch has a VLAN (or a bridge) of its own, in the range that the driver takes."""
    driver = draft.community.cloud.network.driver
    needed = "bridge" if driver == "bridge" else "vlan"
    seen: dict[object, str] = {}
    for name, branch in draft.community.branches.items():
        path: Path = ("branches", name, "network", needed)
        value = getattr(branch.network, needed)
        if branch.network.reserve_from is not None:
            continue
        if value is None:
            yield path[:-1], f"the network driver {driver} needs `{needed}`"
        elif value in seen:
            yield path, f"{needed} {value} is already that of {seen[value]}"
        elif needed == "vlan" and value > LAST_ID[driver]:
            yield path, f"{value} is more than {driver} has: 1 to {LAST_ID[driver]}"
        seen.setdefault(value, name)
    wired = any(branch.network.reserve_from is None for branch in draft.community.branches.values())
    if wired and driver != "bridge" and draft.community.cloud.network.physical_device is None:
        yield ("cloud", "network"), f"the network driver {driver} needs `physical_device`"


def reserved_networks(draft: Draft) -> Iterator[Found]:
    """A network that is reserved from another has that one's wire, and no other branch is on it."""
    seen: dict[str, str] = {}
    for name, branch in draft.community.branches.items():
        own, path = branch.network, ("branches", name, "network")
        for field in ("vlan", "bridge") if own.reserve_from else ():
            if getattr(own, field) is not None:
                yield (*path, field), f"{own.reserve_from} says this: leave it out where `reserve_from` stands"
        if own.reserve_from in seen:
            yield (
                (*path, "reserve_from"),
                f"{seen[own.reserve_from]} is on {own.reserve_from} already: both would share a wire",
            )
        if own.reserve_from is not None:
            seen.setdefault(own.reserve_from, name)


def addresses_inside(draft: Draft) -> Iterator[Found]:
    """Every address of a branch lies in its network, and no two things share one."""
    for name, branch in draft.community.branches.items():
        taken: dict[IPv4Address, str] = {}
        for path, what, address in _addresses(name, branch):
            if address not in usable(branch.network.cidr):
                yield path, f"{address} is no address of a machine in {branch.network.cidr}"
            elif address in taken:
                yield path, f"{address} is already that of the {taken[address]}"
            taken.setdefault(address, what)
        for index, each in enumerate(branch.network.addresses or ()):
            inside = usable(branch.network.cidr)
            if each.first not in inside or each.last not in inside:
                yield ("branches", name, "network", "addresses", index), f"{each} is not inside {branch.network.cidr}"


def _addresses(name: str, branch: Branch) -> Iterator[tuple[Path, str, IPv4Address]]:
    base: Path = ("branches", name)
    if branch.network.gateway is not None:
        yield (*base, "network", "gateway"), "gateway", branch.network.gateway
    yield (*base, "network", "appliance"), "appliance", branch.network.appliance
    for index, scanner in enumerate(branch.modalities):
        yield (*base, "modalities", index, "host"), f"modality {scanner.ae_title}", scanner.host


def own_names(draft: Draft) -> Iterator[Found]:
    """A DNS name leads to one appliance."""
    seen: dict[str, str] = {}
    for name, branch in draft.community.branches.items():
        for index, own in enumerate(branch.names):
            if own in seen:
                yield ("branches", name, "names", index), f"{own!r} is already that of {seen[own]}"
            seen.setdefault(own, name)


def own_ae_title(draft: Draft) -> Iterator[Found]:
    """No two branches share an AE title, nor does a modality bear one of its own branch's."""
    seen: dict[str, str] = {}
    for name, branch in draft.community.branches.items():
        if branch.ae_title in seen:
            yield ("branches", name, "ae_title"), f"{branch.ae_title!r} is already that of {seen[branch.ae_title]}"
        seen.setdefault(branch.ae_title, name)
        inside = {branch.ae_title: "the appliance"}
        for index, scanner in enumerate(branch.modalities):
            path: Path = ("branches", name, "modalities", index, "ae_title")
            if scanner.ae_title in inside:
                yield path, f"{scanner.ae_title!r} is already that of {inside[scanner.ae_title]}"
            inside.setdefault(scanner.ae_title, f"modality {index + 1}")


def room_for_the_appliance(draft: Draft) -> Iterator[Found]:
    """A quota holds at least the branch's own appliance."""
    for name, branch in draft.community.branches.items():
        needs = draft.community.capacity(name)
        limits = {"cpu": needs.cpu, "memory": needs.memory, "disk": needs.archive}
        for limit, needed in limits.items():
            if (allowed := getattr(branch.quota, limit)) < needed:
                words = f"{allowed} is less than the appliance needs, {needed}"
                yield ("branches", name, "quota", limit), words


def free_former_names(draft: Draft) -> Iterator[Found]:
    """A branch's former name is not that of another branch, and only one branch was it."""
    seen: dict[str, str] = {}
    for name, branch in draft.community.branches.items():
        if branch.was in draft.names:
            yield ("branches", name, "was"), f"{branch.was!r} is still the name of a branch"
        elif branch.was is not None and branch.was in seen:
            yield ("branches", name, "was"), f"{branch.was!r} is already what {seen[branch.was]} was"
        if branch.was is not None:
            seen.setdefault(branch.was, name)


RULES: tuple[Callable[[Draft], Iterator[Found]], ...] = (
    one_image_source,
    one_way_to_store,
    reachable_exchange,
    backups_that_can_be,
    known_branches,
    kept_apart,
    separate_networks,
    own_vlan,
    reserved_networks,
    addresses_inside,
    own_ae_title,
    own_names,
    room_for_the_appliance,
    free_former_names,
)
