"""What a driver of virtual machines does for the cloud."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Mount:
    """A folder of the host that a guest sees."""

    tag: str
    path: Path
    read_only: bool = False


@dataclass(frozen=True)
class Card:
    """A network card, and the network that it stands in: an address of it, a slash, and its mask or prefix length."""

    mac: str
    ip: str
    network: str


@dataclass(frozen=True)
class Hardware:
    """What a machine is made of, for drivers whose guests are machines.

    Attributes
    ----------
    system
        The image that the first disk is a copy of.
    data_mib
        Sizes of the data disks, in their order.
    onegate
        Where OneGate answers on this machine; empty where there is none.
    """

    cpus: int = 1
    memory_mib: int = 512
    system: Path | None = None
    data_mib: tuple[int, ...] = ()
    cards: tuple[Card, ...] = ()
    onegate: str = ""


@dataclass(frozen=True)
class Guest:
    """A virtual machine as its driver sees it.

    Attributes
    ----------
    folder
        Its own on the host: `context/` (the CONTEXT disc), `console.log`, disks that are not persistent.
    address
        On loopback.
    data
        Where its data disks lie, in the order of their ids.
    mounts
        Folders shared with the host.
    """

    vm_id: int
    name: str
    folder: Path
    address: str
    data: tuple[Path, ...] = ()
    mounts: tuple[Mount, ...] = ()
    hardware: Hardware = Hardware()


class Driver(Protocol):
    """Runs guests. No method waits for a guest: the cloud asks `is_there` until it is gone."""

    needs_folder: bool
    boots_images: bool
    """Whether a guest boots from what lies in the datastore."""
    ends_by_itself: bool
    """Whether a guest may be gone without having been told to stop, as a machine that was shut down from inside."""

    def start(self, guest: Guest) -> None:
        """Start a guest, and keep it running until it is told to stop."""

    def stop(self, vm_id: int, *, hard: bool) -> None:
        """Tell a guest to stop; a hard stop does not ask. Nothing happens where there is none."""

    def changed(self, guest: Guest) -> None:
        """Let a guest that runs see what is new in its context and its data disks; nothing happens without one."""

    def is_there(self, vm_id: int) -> bool:
        """Whether the guest still exists."""

    def is_starting(self, vm_id: int) -> bool:
        """Whether it is not known yet that the guest runs."""

    def failure(self, vm_id: int) -> str:
        """Why the guest could not be started; empty where it was."""

    def deploy_id(self, vm_id: int, name: str, host: str) -> str:
        """What the hypervisor calls the guest."""

    def stop_all(self) -> None:
        """Stop all guests, and wait until they are gone."""
