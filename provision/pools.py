"""The cloud as it was read: every pool by one call, however many branches there are."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from provision.errors import CloudUnreachable
from provision.node import attributes_of, first

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.node import Attributes, Node
    from provision.opennebula import Cloud

#: The type of Gurney's own Documents; OneFlow and others use 100 to 104.
DOCUMENT_TYPE = 1204
ALL = (-2, -1, -1)

#: Pool: the call that reads it, its arguments, and the name of one of its elements.
POOLS: dict[str, tuple[str, tuple[Any, ...], str]] = {
    "cluster": ("clusterpool.info", (), "CLUSTER"),
    "datastore": ("datastorepool.info", (), "DATASTORE"),
    "group": ("grouppool.info", (), "GROUP"),
    "vdc": ("vdcpool.info", (), "VDC"),
    "acl": ("acl.info", (), "ACL"),
    "vn": ("vnpool.info", ALL, "VNET"),
    "secgroup": ("secgrouppool.info", ALL, "SECURITY_GROUP"),
    "image": ("imagepool.info", ALL, "IMAGE"),
    "template": ("templatepool.info", ALL, "VMTEMPLATE"),
    "vm": ("vmpool.infoextended", (-2, -1, -1, -1), "VM"),
    "document": ("documentpool.info", (*ALL, DOCUMENT_TYPE), "DOCUMENT"),
    "host": ("hostpool.info", (), "HOST"),
    "user": ("userpool.info", (), "USER"),
    "vmgroup": ("vmgrouppool.info", ALL, "VM_GROUP"),
    "backupjob": ("backupjobpool.info", ALL, "BACKUPJOB"),
    "hook": ("hookpool.info", ALL, "HOOK"),
}

#: What is asked for only where it is needed: all that marketplaces offer, which can be hundreds of appliances.
APPS: tuple[str, tuple[Any, ...], str] = ("marketapppool.info", ALL, "MARKETPLACEAPP")


def _nobody(method: str, *_arguments: Any) -> Node:
    """A cloud that answers no more than it has told."""
    raise CloudUnreachable(f"one.{method}", "nobody is there to be asked")


@dataclass(frozen=True)
class Pools:
    """What the front end told; elements of a pool stand with the lowest id first.

    Attributes
    ----------
    ask
        Reads what no pool tells, and is needed seldom: the schedule of the one backup job, what marketplaces offer.
    """

    version: str
    config: Attributes
    user: Node
    nodes: dict[str, tuple[Node, ...]]
    quotas: dict[int, Node]
    ask: Callable[..., Node] = field(default=_nobody, compare=False, repr=False)

    @cached_property
    def release(self) -> tuple[int, int]:
        """The version's first two numbers, as in (7, 4)."""
        major, minor, *_ = [int(number) for number in re.findall(r"\d+", self.version)[:2]] + [0, 0]
        return major, minor

    @cached_property
    def apps(self) -> tuple[Node, ...]:
        """What the cloud's marketplaces offer."""
        call, arguments, tag = APPS
        return elements(self.ask(call, *arguments), tag)

    @cached_property
    def has_onegate(self) -> bool:
        """Whether VMs can report to the front end."""
        return bool(first(self.config, "ONEGATE_ENDPOINT"))

    @cached_property
    def zone(self) -> int:
        """The number of the zone, for ACL rules."""
        federation = self.config.get("FEDERATION", {})
        return int(federation.get("ZONE_ID") or 0) if isinstance(federation, dict) else 0

    @cached_property
    def default_mode(self) -> str:
        """The permissions of what the account makes, from its own or the cloud's umask."""
        umask = first(self.user.attributes(), "UMASK") or first(self.config, "DEFAULT_UMASK") or "177"
        return f"{0o777 & ~int(umask, 8):03o}" if umask.isdigit() else "600"

    @cached_property
    def by_id(self) -> dict[str, dict[int, Node]]:
        """Pool, then id, to the element."""
        return {pool: {node.id: node for node in nodes} for pool, nodes in self.nodes.items()}

    def named(self, pool: str, name: str) -> Node | None:
        """The element of a pool that has a name; the first where several do."""
        return next((node for node in self.nodes[pool] if node.name == name), None)


def read_pools(cloud: Cloud) -> Pools:
    """Read the cloud: one call a pool, a few at a time."""
    wanted: dict[str, tuple[str, tuple[Any, ...]]] = {name: (call, args) for name, (call, args, _) in POOLS.items()}
    wanted |= {"config": ("system.config", ()), "me": ("user.info", (-1,))}
    with ThreadPoolExecutor(cloud.connections) as workers:
        version = workers.submit(cloud.call, "system.version")
        answers = {name: workers.submit(cloud.read, call, *args) for name, (call, args) in wanted.items()}
        roots = {name: answer.result() for name, answer in answers.items()}
        return Pools(
            version=str(version.result()),
            config=attributes_of(roots["config"].element),
            user=roots["me"],
            nodes={name: elements(roots[name], POOLS[name][2]) for name in POOLS},
            quotas={quota.id: quota for quota in roots["group"].children("QUOTAS")},
            ask=cloud.read,
        )


def elements(root: Node, tag: str) -> tuple[Node, ...]:
    """The elements of a pool, lowest id first (OpenNebula gives the highest first)."""
    return tuple(sorted(root.children(tag), key=lambda node: node.id))
