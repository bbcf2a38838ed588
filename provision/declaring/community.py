"""What a community file declares: the community, its cloud, and its branches."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotations when the classes are made
from dataclasses import field
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from provision.declaring.account import CloudUser, Recipient  # noqa: TC001 - as above
from provision.declaring.addresses import AddressText, NetworkText, RangeText  # noqa: TC001 - as above
from provision.declaring.dns_name import DnsName  # noqa: TC001 - as above
from provision.declaring.names import (
    SAFE_DIR,
    AeTitle,
    Device,
    HostPath,
    ImageFile,
    Label,
    Login,
    ObjectName,
    SftpServer,
    Store,
    Title,
    WebAddress,
)
from provision.declaring.sizes import Size, SizeText
from provision.declaring.strict import STRICT
from provision.declaring.time_server import TimeServer  # noqa: TC001 - as above
from provision.declaring.time_zone import TimeZone  # noqa: TC001 - as above
from provision.planning.storage import Backup, Datastores

#: IEEE 802.1Q-2018 9.6: 0 and 4095 are reserved. RFC 7348: 24 bits for VXLAN.
LAST_ID = {"802.1Q": 4094, "vxlan": 2**24 - 1, "bridge": 4094}


def _some_cpu(cpu: float) -> float:
    """OpenNebula counts CPU in hundredths, of which a binary number holds few exactly: 1.1 * 100 is not 110."""
    if round(cpu, 2) != cpu:
        raise ValueError(f"{cpu} has more than two decimals, which OpenNebula does not keep")
    return cpu


Cpu = Annotated[float, Field(gt=0, le=1024), AfterValidator(_some_cpu)]


@dataclass(frozen=True, config=STRICT)
class NetworkDriver:
    """How branch networks are kept apart on the hosts' wires."""

    driver: Literal["802.1Q", "vxlan", "bridge"] = "802.1Q"
    """OpenNebula's network driver."""
    physical_device: Device | None = None
    """The hosts' device that carries the branches' VLANs."""


@dataclass(frozen=True, config=STRICT)
class CloudPlace:
    """Where in the cloud the community lives."""

    cluster: ObjectName = "default"
    """The OpenNebula cluster whose hosts run the appliances."""
    network: NetworkDriver = field(default_factory=NetworkDriver)
    management: tuple[NetworkText, ...] = Field(default=())
    """Networks from which appliances may be reached for administration (SSH, web page), beside the branch's own."""
    upload: SftpServer | None = None
    """The front end's SSH server: a file beside this one, of the name in `image.path`, is brought there if need be."""


@dataclass(frozen=True, config=STRICT)
class ApplianceImage:
    """Where the appliance's OS image comes from: exactly one of these."""

    path: ImageFile | None = None
    """A file on the front end, in a folder from which the datastore may read; without a folder, in /var/tmp."""
    url: WebAddress | None = None
    """An address from which the front end fetches it."""
    marketplace: ObjectName | None = None
    """The name of an appliance in one of the cloud's marketplaces."""

    @property
    def file(self) -> str | None:
        """The absolute path on the front end, where a file is given."""
        return None if self.path is None else str(PurePosixPath(SAFE_DIR) / self.path)

    @property
    def source(self) -> str:
        """The one that is given."""
        return self.file or self.url or f"marketplace:{self.marketplace}"


@dataclass(frozen=True, config=STRICT)
class Capacity:
    """How large an appliance is."""

    cpu: Cpu = 2
    memory: SizeText = Size(4 * 1024)
    archive: SizeText = Size(200 * 1024)


@dataclass(frozen=True, config=STRICT)
class CapacityOverride:
    """What of an appliance's size differs in one branch."""

    cpu: Cpu | None = None
    memory: SizeText | None = None
    archive: SizeText | None = None


@dataclass(frozen=True, config=STRICT)
class Exchange:
    """The store that branches hand each other referrals through."""

    path: HostPath
    """The folder: the same on every host (virtiofs), or as the server exports it (nfs)."""
    admin: Store
    """How this command line reaches the same folder: a path, sftp://, s3://, gs:// or az://."""
    driver: Literal["virtiofs", "nfs"] = "virtiofs"
    """How appliances reach it: through their hosts, or by NFS 4 over the network."""
    server: AddressText | None = None
    """The address of the NFS server, for the driver nfs."""
    outbox: SizeText | None = None
    """How much each branch may have in its outbox; OpenNebula cannot hold it to that, the file server can."""


@dataclass(frozen=True, config=STRICT)
class BranchNetwork:
    """A branch's own network."""

    cidr: NetworkText
    appliance: AddressText
    """The appliance's own address, kept for it alone."""
    gateway: AddressText | None = None
    vlan: Annotated[int, Field(ge=1)] | None = None
    """The VLAN (or VXLAN) number."""
    bridge: Device | None = None
    """The hosts' bridge, for the driver `bridge`."""
    dns: tuple[AddressText, ...] = Field(default=())
    reserve_from: ObjectName | None = None
    """A network of the cloud's owner that the addresses are reserved from, and that says VLAN or bridge."""
    addresses: tuple[RangeText, ...] | None = Field(default=None)
    """Ranges that OpenNebula may hand out; left out: the whole network but the gateway and the scanners."""


@dataclass(frozen=True, config=STRICT)
class Quota:
    """What a branch may use of the cloud, its appliance included."""

    cpu: Cpu
    memory: SizeText
    disk: SizeText
    """For the images that the branch's group owns, its archive above all."""
    vms: Annotated[int, Field(ge=1)]
    vm_disk: SizeText | None = None
    """For what its VMs' disks take beside images of their own, as copies of an OS image do; left out: as `disk`."""


@dataclass(frozen=True, config=STRICT)
class Scanner:
    """A device that may send images to the branch's appliance."""

    ae_title: AeTitle
    host: AddressText
    port: Annotated[int, Field(ge=1, le=65535)] | None = None


@dataclass(frozen=True, config=STRICT)
class Branch:
    """One hospital."""

    title: Title
    ae_title: AeTitle
    network: BranchNetwork
    quota: Quota
    appliance: CapacityOverride = field(default_factory=CapacityOverride)
    staff: Mapping[Login, Literal["doctor", "radiographer", "admin"]] = field(default_factory=dict)
    """People who log in at the appliance (they have no OpenNebula account)."""
    admins: Mapping[Login, CloudUser] = field(default_factory=dict)
    """People of the branch who have an OpenNebula account; none is needed to use the appliance."""
    modalities: tuple[Scanner, ...] = Field(default=())
    inbox: bool = False
    """Whether those who may import do so through the shared folder `inbox` as well: a CD's files, or a ZIP of them."""
    names: tuple[DnsName, ...] = Field(default=(), max_length=16)
    """Names of its own by which the appliance is reached, as the hospital's DNS has them: images.erode.example."""
    time: tuple[TimeServer, ...] = Field(default=(), max_length=8)
    """The time servers of this branch, in place of the community's."""
    timezone: TimeZone | None = None
    """The time zone of this branch, in place of the community's."""
    was: Label | None = None
    """The name with which this branch was made, if it is called otherwise now: it stays its name in the exchange."""


@dataclass(frozen=True, config=STRICT)
class ReferralRule:
    """Who may refer to whom."""

    sender: Label = Field(alias="from")
    to: tuple[Label, ...] = Field(min_length=1)


@dataclass(frozen=True, config=STRICT)
class Community:
    """All that one community file declares."""

    community: Label
    image: ApplianceImage
    exchange: Exchange
    branches: Annotated[Mapping[Label, Branch], Field(min_length=1)]
    cloud: CloudPlace = field(default_factory=CloudPlace)
    datastores: Datastores = field(default_factory=Datastores)
    appliance: Capacity = field(default_factory=Capacity)
    """The size of every appliance, where a branch does not say otherwise."""
    admins: Mapping[Login, Recipient] = field(default_factory=dict)
    """Who may open the community's keys, beside whoever makes or locks them: an `age` or an SSH public key of each."""
    apart: tuple[tuple[Label, ...], ...] = Field(default=())
    """Sets of branches whose appliances never run on the same host."""
    on_host_failure: Literal["restart", "none"] = "none"
    """What becomes of appliances whose host dies: started on another, or nothing until it is back."""
    backup: Backup | None = None
    time: tuple[TimeServer, ...] = Field(default=(), max_length=8)
    """Whom appliances ask the time; left out: OneGate's host, their router and Debian's pool, whoever answers first."""
    timezone: TimeZone | None = None
    """In which zone staff read times, as Asia/Kolkata; left out: UTC."""
    referrals: tuple[ReferralRule, ...] | None = Field(default=None)
    """Who may refer to whom; left out: everyone to everyone."""

    def first_name(self, branch: str) -> str:
        """The name with which a branch was made: its group, archive, patients and outbox bear it for good."""
        return self.branches[branch].was or branch

    def capacity(self, branch: str) -> Capacity:
        """How large a branch's appliance is."""
        own = self.branches[branch].appliance
        return Capacity(
            cpu=own.cpu or self.appliance.cpu,
            memory=own.memory or self.appliance.memory,
            archive=own.archive or self.appliance.archive,
        )

    @property
    def by_virtiofs(self) -> bool:
        """Whether OpenNebula hands the exchange to the VMs, as disks that are folders of their hosts."""
        return self.exchange.driver == "virtiofs"

    def referral_pairs(self) -> tuple[tuple[str, str], ...]:
        """Every allowed (from, to), in order."""
        if self.referrals is None:
            return tuple((a, b) for a in sorted(self.branches) for b in sorted(self.branches) if a != b)
        return tuple(sorted({(rule.sender, to) for rule in self.referrals for to in rule.to}))

    def pairs_by_first_name(self) -> tuple[tuple[str, str], ...]:
        """The same, by the names that appliances know."""
        return tuple(sorted((self.first_name(a), self.first_name(b)) for a, b in self.referral_pairs()))
