"""Access rules: who may do what to which objects, as OpenNebula packs it into 64 bits.

References: OpenNebula src/acl/AclRule.cc and AclManager.cc.
"""

from __future__ import annotations

from dataclasses import dataclass

from emulator.kinds import KINDS

INDIVIDUAL = 1 << 32
GROUP = 2 << 32
ALL = 4 << 32
CLUSTER = 8 << 32
SCOPES = INDIVIDUAL | GROUP | ALL | CLUSTER
ID_MASK = (1 << 32) - 1
KIND_MASK = sum(kind.bit for kind in KINDS.values())

USE, MANAGE, ADMIN, CREATE = 1, 2, 4, 8
RIGHTS = {USE: "USE", MANAGE: "MANAGE", ADMIN: "ADMIN", CREATE: "CREATE"}
SIGNS = ((GROUP, "@"), (INDIVIDUAL, "#"), (CLUSTER, "%"))

NAMES = [
    "vm",
    "host",
    "vn",
    "image",
    "user",
    "template",
    "group",
    "datastore",
    "cluster",
    "document",
    "zone",
    "secgroup",
    "vdc",
    "vrouter",
    "market",
    "marketapp",
    "vmgroup",
    "vntemplate",
    "backupjob",
]


@dataclass(frozen=True)
class Rule:
    """One access rule: four numbers as `one.acl.addrule` takes them."""

    user: int
    resource: int
    rights: int
    zone: int

    def __str__(self) -> str:
        kinds = "+".join(KINDS[name].right for name in NAMES if self.resource & KINDS[name].bit)
        rights = "+".join(word for right, word in RIGHTS.items() if self.rights & right)
        return f"{scope(self.user)} {kinds}/{scope(self.resource)} {rights} {scope(self.zone)}"

    def grants(self, resources: frozenset[int], right: int) -> bool:
        """Whether it gives the right on any of the resources, each a kind's bit with a scope."""
        return bool(self.rights & right) and any(
            self.resource & one & KIND_MASK and self.resource & ~KIND_MASK == one & ~KIND_MASK for one in resources
        )

    @property
    def mistake(self) -> str:
        """What is malformed about it, "" if nothing."""
        users = _count(self.user, INDIVIDUAL | GROUP | ALL)
        scopes = _count(self.resource, SCOPES)
        found = [
            text
            for wrong, text in (
                (users == 0, "[user] is missing one of the INDIVIDUAL, GROUP or ALL bits"),
                (users > 1, "[user] INDIVIDUAL, GROUP and ALL bits are exclusive"),
                (self.resource & KIND_MASK == 0, "[resource] type is missing"),
                (scopes == 0, "[resource] is missing one of the INDIVIDUAL, GROUP, CLUSTER or ALL bits"),
                (scopes > 1, "[resource] INDIVIDUAL, GROUP, CLUSTER and ALL bits are exclusive"),
                (self.rights == 0, "wrong [rights], it cannot be 0"),
                (self.rights > 0xF, "wrong [rights], it cannot be bigger than 0xF"),
                (_count(self.zone, INDIVIDUAL | ALL) == 0, "[zone] is missing one of the INDIVIDUAL or ALL bits"),
            )
            if wrong
        ]  # fmt: skip
        return "; ".join(found)


def scope(number: int) -> str:
    """`#3`, `@100`, `%0` or `*`."""
    if number & ALL:
        return "*"
    return next((f"{sign}{number & ID_MASK}" for bit, sign in SIGNS if number & bit), "??")


def resource(kinds: str, scoped: int) -> int:
    """The kinds (names, separated by spaces) within a scope."""
    return sum(KINDS[name].bit for name in kinds.split()) | scoped


def _count(number: int, bits: int) -> int:
    return (number & bits).bit_count()
