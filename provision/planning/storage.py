"""Where a community's disks lie, and its backups: part of what a community file declares."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from provision.declaring.names import CephName, HostName, ObjectName  # noqa: TC001 - pydantic reads them
from provision.declaring.strict import STRICT
from provision.declaring.times import TimeOfDay, TimeText


@dataclass(frozen=True, config=STRICT)
class Ceph:
    """Where a Ceph cluster is, and how hosts reach it."""

    pool: CephName
    monitors: Annotated[tuple[HostName, ...], Field(min_length=1)]
    """Ceph's monitors, each a name or an address, with a port where it is not the usual one."""
    bridges: Annotated[tuple[HostName, ...], Field(min_length=1)]
    """Hosts that copy images into the pool."""
    secret: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    """The UUID under which libvirt keeps Ceph's key on each host; not the key itself."""
    user: CephName = "libvirt"


@dataclass(frozen=True, config=STRICT)
class NewDatastores:
    """Datastores that the community has made for itself."""

    storage: Literal["local", "shared", "ceph"]
    """On each host's own disks, in folders that all hosts share (NFS, SAN), or in Ceph."""
    ceph: Ceph | None = None


@dataclass(frozen=True, config=STRICT)
class Datastores:
    """The cloud's datastores that the community uses, or what it has made in place of them."""

    images: ObjectName = "default"
    """For OS images and archives."""
    system: ObjectName = "system"
    """For the disks of running VMs."""
    make: NewDatastores | None = None
    """Makes two datastores of the community's own, instead of using these."""


Day = Literal["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


@dataclass(frozen=True, config=STRICT)
class Backup:
    """OpenNebula's own backups of the appliances, with their archives."""

    datastore: ObjectName
    """The cloud's backup datastore that they go to."""
    at: TimeText = TimeOfDay(21, 0)
    """When, in UTC: OpenNebula counts seconds from one time to the next, and knows no summer time."""
    days: tuple[Day, ...] = Field(default=("sun", "mon", "tue", "wed", "thu", "fri", "sat"))
    keep_last: Annotated[int, Field(ge=1, le=1000)] = 7
    """How many backups of each appliance are kept."""
    freeze: Literal["agent", "suspend", "none"] = "agent"
    """How a VM's disks are held still: by its guest agent, by suspending the VM for a moment, or not at all."""
