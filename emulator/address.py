"""Addresses on loopback: one network per cloud, one address per virtual machine.

Each embedded cloud claims the first free of the networks 127.20.0.0/16, 127.21.0.0/16, ... by listening on
127.N.255.254; started anew, it claims the same one again if nobody took it meanwhile. Virtual machine n stands
at host number n + 1 of that network: 0 at 127.N.0.1, 255 at 127.N.1.0.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emulator.errors import EmulatorError
from emulator.settings import ONEGATE_PORT, RPC_PORT
from emulator.web import listening_socket

if TYPE_CHECKING:
    import socket

FIRST_NETWORK, LAST_NETWORK = 20, 250
FRONT_END = 255 * 256 + 254  # host number of the front end in its network
CLAIM_PORT = 2632  # held by a cloud that listens elsewhere than on its own network's front end


@dataclass
class Place:
    """Where a cloud is on loopback.

    Attributes
    ----------
    network
        Of its virtual machines, such as 127.20.0.0/16.
    address, port, onegate_port
        Where to listen.
    """

    network: str
    address: str
    port: int
    onegate_port: int
    _claim: socket.socket = field(repr=False)

    def vm_address(self, vm_id: int) -> str:
        """Address of a virtual machine; the network's addresses are used again after 65,533 machines."""
        return str(ipaddress.ip_network(self.network)[vm_id % (FRONT_END - 1) + 1])

    def release(self) -> None:
        """Let another cloud have the network."""
        self._claim.close()


def claim(address: str | None, port: int | None, onegate_port: int | None, before: str | None = None) -> Place:
    """A place for a cloud: the network is always claimed; where to listen may be given.

    Parameters
    ----------
    before
        The network that the cloud had when it last ran; it is the first that is tried.

    Raises
    ------
    EmulatorError
        When every network is taken.
    """
    number, held = _claimed_network(before)
    network = f"127.{number}.0.0/16"
    own = f"127.{number}.255.254"
    if address is None and port is None:
        return Place(network, own, RPC_PORT, ONEGATE_PORT if onegate_port is None else onegate_port, held)
    rpc_port = RPC_PORT if port is None else port
    beside = 0 if rpc_port == 0 else rpc_port + 1
    return Place(network, address or "127.0.0.1", rpc_port, beside if onegate_port is None else onegate_port, held)


def _claimed_network(before: str | None) -> tuple[int, socket.socket]:
    numbers = list(range(FIRST_NETWORK, LAST_NETWORK + 1))
    for number in sorted(numbers, key=lambda each: f"127.{each}.0.0/16" != before):
        try:
            return number, listening_socket(f"127.{number}.255.254", CLAIM_PORT)
        except EmulatorError:
            continue  # another cloud's
    raise EmulatorError("no network 127.N.0.0/16 is free; stop an embedded cloud that is not needed any more")
