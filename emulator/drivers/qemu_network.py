"""The network of a machine of qemu: who stands in it beside the guest, and where the guest's ports are found."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import TYPE_CHECKING

from emulator.errors import EmulatorError

if TYPE_CHECKING:
    from emulator.drivers.driver import Card

#: What an appliance offers: each port of the guest is there at the VM's own address.
PORTS = (11112, 2762, 8080, 8443, 22, 80, 104, 443, 445)
#: A port that cannot be had here is found this much higher.
SHIFT = 10000
LAST_PORT = 65535
#: An address of loopback that no cloud claims: what is taken there is taken at every address.
ANYWHERE = "127.255.255.254"
#: The machine on which the embedded cloud runs stands in each network under this number: it can be a modality.
VISITOR = 50
#: From its end, a network is looked at this far for addresses that are not the guest's.
LOOKED_AT = 7


@dataclass(frozen=True)
class Others:
    """Who stands in the network of a card beside the guest: this machine, OneGate, and what qemu cannot do without."""

    network: IPv4Network
    visitor: IPv4Address
    onegate: IPv4Address
    dns: IPv4Address
    dhcp: IPv4Address


def others(card: Card) -> Others:
    """
    Who stands in the network of a card beside the guest, each at an address that is not the guest's.

    Raises
    ------
    EmulatorError
        Its network's mask is none, or the network is too small for them.
    """
    try:
        network, guest = IPv4Interface(card.network).network, IPv4Address(card.ip)
    except ValueError as error:
        raise EmulatorError(f"its network card {card.mac} is in no network: {error}") from error
    last = (network[-number] for number in range(2, min(LOOKED_AT, network.num_addresses - 1) + 1))
    free = [address for address in last if address != guest]
    if len(free) < 4:
        raise EmulatorError(
            f"network {network} has too few addresses: beside the guest, {guest}, qemu needs 4 of them; a /29 has them"
        )
    onegate, dns, dhcp, visitor = free[:4]
    if network.num_addresses > VISITOR + LOOKED_AT and network[VISITOR] != guest:
        visitor = network[VISITOR]
    return Others(network, visitor, onegate, dns, dhcp)


def seen_port(port: int) -> int:
    """The port on this machine at which a guest's port is found.

    It is another one where a program listens at all addresses (as sshd does), or where a user may not listen.
    """
    return next((each for each in range(port, LAST_PORT + 1, SHIFT) if _can_be_had(each)), port)


def moved_ports() -> dict[int, int]:
    """Those of an appliance's ports that are found elsewhere."""
    return {port: seen for port in PORTS if (seen := seen_port(port)) != port}


def _can_be_had(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # qemu does so too; and two may ask at a time
        try:
            probe.bind((ANYWHERE, port))
        except OSError:
            return False
    return True
