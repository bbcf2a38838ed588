"""The fleet at a glance: one line a branch, of what the cloud and the appliances say."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from provision.fleet.branch_status import BranchStatus, statuses_of
from provision.fleet.last_backup import LastBackup, last_backup
from provision.planning.resource import Ref
from provision.vm_state import host_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.node import Node
    from provision.planning.found import Found
    from provision.planning.plan import Plan

#: States of a host, as OpenNebula 7.4 counts them.
HOST_STATES = (
    "INIT",
    "MONITORING_MONITORED",
    "MONITORED",
    "ERROR",
    "DISABLED",
    "MONITORING_ERROR",
    "MONITORING_INIT",
    "MONITORING_DISABLED",
    "OFFLINE",
)


@dataclass(frozen=True)
class Usage:
    """How much of a limit is used; a limit below 0 is none."""

    used: float
    limit: float

    def __str__(self) -> str:
        return f"{self.used:g}/{self.limit:g}" if self.limit >= 0 else f"{self.used:g}"


@dataclass(frozen=True)
class FleetLine:
    """A branch in the fleet.

    Attributes
    ----------
    host, host_state
        Where its VM runs, and how that host is.
    cpu, memory_mib, disk_mib
        Of its quota.
    archive_mib
        The size of its archive disk.
    datastore_free_mib
        What is free in the datastore of its archive.
    last_backup
        The newest backup that OpenNebula made; None where there is none.
    drift
        How many steps `apply` would take for it.
    """

    status: BranchStatus
    host: str
    host_state: str
    cpu: Usage
    memory_mib: Usage
    disk_mib: Usage
    archive_mib: int
    datastore_free_mib: int
    last_backup: LastBackup | None
    drift: int

    def to_json(self) -> dict[str, Any]:
        """The line for programs."""
        told = asdict(self)
        return {**told.pop("status"), **told}


def fleet(community: Community, found: Found, plan: Plan) -> Iterator[FleetLine]:
    """One line for each declared branch."""
    for status in statuses_of(community, found):
        yield _line(found, plan, status)


def _line(found: Found, plan: Plan, status: BranchStatus) -> FleetLine:
    vm = found.view.appliances.get(status.name)
    archive = found.resources.get(Ref("archive", status.name))
    group = found.view.groups.get(status.name)
    quota = found.pools.quotas.get(group.id) if group else None
    host = host_of(vm) if vm else ""
    return FleetLine(
        status=status,
        host=host,
        host_state=_host_state(found, host),
        cpu=_usage(quota, "VM_QUOTA/VM", "CPU"),
        memory_mib=_usage(quota, "VM_QUOTA/VM", "MEMORY"),
        disk_mib=_usage(quota, "DATASTORE_QUOTA/DATASTORE", "SIZE"),
        archive_mib=archive.spec.size.mib if archive and archive.spec.size else 0,
        datastore_free_mib=_free(found, archive.node) if archive and archive.node else 0,
        last_backup=last_backup(found, status.name),
        drift=sum(step.branch == status.name for step in plan),
    )


def _usage(quota: Node | None, path: str, name: str) -> Usage:
    """What a group uses; the first element that has a limit counts."""
    parts = list(quota.children(path)) if quota else []
    parts.sort(key=lambda part: float(part.text(name, "-1")) < 0)
    if not parts:
        return Usage(0, -1)
    return Usage(float(parts[0].text(f"{name}_USED", "0")), float(parts[0].text(name, "-1")))


def _host_state(found: Found, name: str) -> str:
    host = found.pools.named("host", name) if name else None
    return HOST_STATES[host.number("STATE")] if host else ""


def _free(found: Found, image: Node) -> int:
    datastore = found.pools.by_id["datastore"].get(image.number("DATASTORE_ID"))
    return datastore.number("FREE_MB", 0) if datastore else 0
