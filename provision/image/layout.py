"""Where things are in an appliance's VM, and who owns them: what the files of templates/appliance are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.image.mirror import Source


@dataclass(frozen=True)
class Account:
    """A user and group, or a group, with a number that is the same in every image ever built."""

    name: str
    id: int


@dataclass(frozen=True)
class Ports:
    """Where the service listens; 104, 80 and 443 are redirected to these."""

    dicom: int = 11112
    dicom_tls: int = 2762
    http: int = 8080
    https: int = 8443


@dataclass(frozen=True)
class Disk:
    """The root disk."""

    root_label: str = "gurney-root"


@dataclass(frozen=True)
class Places:
    """Paths in the VM. `state` is the archive's disk: what matters lies there, and nothing that matters elsewhere."""

    release: str
    python: str
    state: str = "/var/lib/gurney"
    archive: str = "/var/lib/gurney/archive"
    programs: str = "/opt/gurney"
    installed: str = "/opt/gurney/installed"
    journal: str = "/var/lib/gurney/programs/upgrade.json"
    program: str = "/usr/local/bin/gurney"
    read_ahead: str = "/opt/gurney/read-ahead"


#: The numbers are part of what lies on archive disks and in outboxes: never change one.
SERVICE = Account("gurney", 800)
STAFF = Account("gurney-staff", 801)


def places_of(version: str) -> Places:
    """The places in an image of this version of the program."""
    return Places(release=f"/opt/gurney/{version}", python="/opt/gurney/current/bin/python")


def values_for(version: str, sources: Sequence[Source]) -> dict[str, Any]:
    """What the templates are rendered with."""
    return {
        "account": SERVICE,
        "staff": STAFF,
        "ports": Ports(),
        "disk": Disk(),
        "places": places_of(version),
        "sources": sources,
    }
