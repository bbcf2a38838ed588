"""The kinds of object that the cloud knows, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from emulator.errors import Code


class Unique(Enum):
    """Among which objects a NAME may be used once."""

    CLOUD = "all objects of the kind"
    OWNER = "the objects of one owner"
    NEVER = "none"


@dataclass(frozen=True)
class Kind:
    """One kind of object.

    Attributes
    ----------
    name
        As in `one.<name>.info`.
    tag, pool_tag
        Root elements of a document and of a pool.
    words
        As OpenNebula's messages call it.
    right
        As ACL rules and authorization failures call it.
    bit
        Of the kind in the resource part of an ACL rule.
    unique
        Where a NAME may not repeat.
    taken
        As "NAME is already taken by ..." calls it.
    taken_code
        What a repeated or illegal NAME is answered with.
    first_id
        Of the first object that is not OpenNebula's own.
    reference
        As a VDC calls it, for the kinds that a VDC holds.
    """

    name: str
    tag: str
    pool_tag: str
    words: str
    right: str
    bit: int
    unique: Unique = Unique.OWNER
    taken: str = ""
    taken_code: Code = Code.INTERNAL
    first_id: int = 0
    pool: str = ""

    @property
    def pool_name(self) -> str:
        """As in `one.<pool_name>.info`."""
        return self.pool or f"{self.name}pool"

    @property
    def taken_by(self) -> str:
        """As "NAME is already taken by ..." calls it."""
        return self.taken or self.right

    @property
    def allocation_prefix(self) -> str:
        """What stands before the text of a refused allocation."""
        return f"Error allocating a new {self.words}. " if self.taken_code is Code.ALLOCATE else ""


def _bit(number: int) -> int:
    return 1 << (36 + number)


ALLOCATE = Code.ALLOCATE

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("vm", "VM", "VM_POOL", "virtual machine", "VM", _bit(0), Unique.NEVER),
        Kind("host", "HOST", "HOST_POOL", "host", "HOST", _bit(1), Unique.CLOUD, taken_code=ALLOCATE),
        Kind("vn", "VNET", "VNET_POOL", "virtual network", "NET", _bit(2)),
        Kind("image", "IMAGE", "IMAGE_POOL", "image", "IMAGE", _bit(3), taken_code=ALLOCATE),
        Kind("user", "USER", "USER_POOL", "user", "USER", _bit(4), Unique.CLOUD),
        Kind("template", "VMTEMPLATE", "VMTEMPLATE_POOL", "virtual machine template", "TEMPLATE", _bit(5)),
        Kind("group", "GROUP", "GROUP_POOL", "group", "GROUP", _bit(6), Unique.CLOUD, first_id=100),
        Kind("acl", "ACL", "ACL_POOL", "ACL", "ACL", _bit(7), Unique.NEVER),
        Kind(
            "datastore", "DATASTORE", "DATASTORE_POOL", "datastore", "DATASTORE", _bit(8), Unique.CLOUD, first_id=100
        ),
        Kind(
            "cluster", "CLUSTER", "CLUSTER_POOL", "cluster", "CLUSTER", _bit(9), Unique.CLOUD,
            taken_code=ALLOCATE, first_id=100,
        ),
        Kind("document", "DOCUMENT", "DOCUMENT_POOL", "document", "DOCUMENT", _bit(10), Unique.NEVER),
        Kind("zone", "ZONE", "ZONE_POOL", "zone", "ZONE", _bit(11), Unique.CLOUD, first_id=100),
        Kind(
            "secgroup", "SECURITY_GROUP", "SECURITY_GROUP_POOL", "security group", "SECGROUP", _bit(12),
            taken="SecurityGroup", first_id=100,
        ),
        Kind("vdc", "VDC", "VDC_POOL", "VDC", "VDC", _bit(13), Unique.CLOUD, taken="Vdc", first_id=100),
        Kind("vrouter", "VROUTER", "VROUTER_POOL", "virtual router", "VROUTER", _bit(14), Unique.NEVER),
        Kind(
            "market", "MARKETPLACE", "MARKETPLACE_POOL", "marketplace", "MARKETPLACE", _bit(15), Unique.CLOUD,
            taken_code=ALLOCATE, first_id=100,
        ),
        Kind(
            "marketapp", "MARKETPLACEAPP", "MARKETPLACEAPP_POOL", "marketplaceapp", "MARKETPLACEAPP", _bit(16),
            taken_code=ALLOCATE,
        ),
        Kind("vmgroup", "VM_GROUP", "VM_GROUP_POOL", "vm group", "VMGROUP", _bit(17), taken="VMGroup"),
        Kind(
            "vntemplate", "VNTEMPLATE", "VNTEMPLATE_POOL", "virtual network template", "VNTEMPLATE", _bit(18),
            taken="VN TEMPLATE",
        ),
        Kind("hook", "HOOK", "HOOK_POOL", "hook", "HOOK", _bit(19), Unique.CLOUD, taken="Hook"),
        Kind("backupjob", "BACKUPJOB", "BACKUPJOB_POOL", "backup job", "BACKUPJOB", _bit(20), taken="BACKUP JOB"),
    )
}  # fmt: skip
