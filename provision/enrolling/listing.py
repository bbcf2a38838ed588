"""The branches as the directory names them, beside those that are declared."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from exchange.certificate import Certificate
from provision.planning.found import found

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from exchange.directory import DirectoryBranch
    from provision.declaring.community import Community
    from provision.desk import Desk


@dataclass(frozen=True)
class Listed:
    """A branch in the list.

    Attributes
    ----------
    state
        enrolled, revoked, or "not enrolled".
    fingerprint
        Of its keys; empty while it is not enrolled.
    certificate_until
        When the TLS certificate of its appliance ends; None where it has none.
    """

    name: str
    title: str
    ae_title: str
    state: str
    fingerprint: str = ""
    vm_id: int = -1
    certificate_until: datetime | None = None


@dataclass(frozen=True)
class BranchList:
    """All branches, at one version of the directory; 0 before the first.

    `authority_fingerprint` is that of the community's own certificate authority, as browsers show it (SHA-256).
    """

    community: str
    version: int
    branches: tuple[Listed, ...]
    authority_fingerprint: str = ""

    def to_json(self) -> dict[str, Any]:
        """The list for programs."""
        return asdict(self)


def listed(desk: Desk, community: Community) -> BranchList:
    """Every branch that is declared or that the directory names; also one that is gone, if another is called so now."""
    directory = found(desk, community.community).view.published.directory
    present = {community.first_name(name): name for name in community.branches}
    called = {entry.name: f"{entry.name} (former)" for entry in (directory.branches if directory else ())}
    present = {name: other for name, other in called.items() if name in community.branches} | present
    known = {entry.name: _known(entry, present) for entry in (directory.branches if directory else ())}
    declared = {
        community.first_name(name): Listed(name, each.title, each.ae_title, "not enrolled")
        for name, each in community.branches.items()
    }
    branches = tuple(sorted({**declared, **known}.values(), key=lambda each: each.name))
    authority = Certificate(directory.authority).fingerprint if directory and directory.authority else ""
    return BranchList(community.community, directory.version if directory else 0, branches, authority)


def _known(entry: DirectoryBranch, present: Mapping[str, str]) -> Listed:
    state = "revoked" if entry.revoked else "enrolled"
    until = Certificate(entry.certificate).until if entry.certificate else None
    name = present.get(entry.name, entry.name)
    return Listed(name, entry.title, entry.ae_title, state, entry.keys.fingerprint, entry.vm_id, until)
