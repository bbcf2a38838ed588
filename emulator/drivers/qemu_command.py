"""The command line of qemu for a guest: its disks, network cards, folders and console."""

from __future__ import annotations

import os
import sys
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from emulator.drivers import relay

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emulator.drivers.driver import Card, Guest, Mount

#: What an appliance offers: each port of the guest is there at the VM's own address.
PORTS = (11112, 2762, 8080, 8443, 22, 80, 104, 443, 445)
#: Where a user may not listen on a standard port, it is found this much higher.
SHIFT = 10000
FIRST_FREE_PORT = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
#: The machine on which the embedded cloud runs stands in each network under this number: it can be a modality.
VISITOR = 50
MOST_CPUS = 2


#: Hardware's help, and what qemu does without: translation, in a thread for each CPU.
KVM, TRANSLATION = ("-accel", "kvm", "-cpu", "max"), ("-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max")


def command(guest: Guest, program: str, accelerator: Sequence[str], servers: Sequence[Path] = ()) -> list[str]:
    """
    What is run for a guest whose files are prepared in its folder.

    Parameters
    ----------
    servers
        Where a virtiofs server listens for each of its folders; without them qemu shares the folders itself, by 9p.
    """
    hardware = guest.hardware
    return [
        program,
        *("-name", f"one-{guest.vm_id}", "-nodefaults", "-display", "none", "-machine", "pc"),
        *accelerator,
        *("-smp", str(max(1, min(hardware.cpus, MOST_CPUS))), "-m", str(hardware.memory_mib)),
        *("-chardev", f"file,id=console,path={_escaped(console(guest))},append=on", "-serial", "chardev:console"),
        *("-qmp", f"unix:{_escaped(control(guest))},server=on,wait=off"),
        *_disks(guest),
        *_cards(guest),
        *(_by_virtiofs(guest, servers) if servers else _by_9p(guest)),
    ]


def console(guest: Guest) -> Path:
    """What the guest's console has shown."""
    return guest.folder / "console.log"


def control(guest: Guest) -> Path:
    """Where qemu listens to its driver."""
    return guest.folder / "qmp"


def system_disk(guest: Guest) -> Path:
    """The guest's own copy of its image: what it writes, above the image."""
    return guest.folder / "system.qcow2"


def context_disc(guest: Guest) -> Path:
    """The CONTEXT disc."""
    return guest.folder / "context.iso"


def data_disks(guest: Guest) -> Iterator[tuple[Path, int]]:
    """Each data disk as a raw file in the folder of its image, and its size in MiB."""
    for folder, size_mib in zip(guest.data, guest.hardware.data_mib, strict=True):
        yield folder / "disk.raw", size_mib


def onegate_seen(guest: Guest) -> str:
    """OneGate's address as the guest can reach it: in the network of its first card."""
    if not guest.hardware.cards or not guest.hardware.onegate:
        return guest.hardware.onegate
    network = IPv4Network(guest.hardware.cards[0].network)
    return f"http://{network[-2]}:{urlsplit(guest.hardware.onegate).port}"


def seen_port(port: int) -> int:
    """The port on this machine at which a guest's port is found."""
    first_free = int(FIRST_FREE_PORT.read_text()) if FIRST_FREE_PORT.exists() else 1024
    return port if os.geteuid() == 0 or port >= first_free else port + SHIFT


def _disks(guest: Guest) -> Iterator[str]:
    yield from ("-drive", f"if=virtio,format=qcow2,file={_escaped(system_disk(guest))}")
    for path, _ in data_disks(guest):
        yield from ("-drive", f"if=virtio,format=raw,discard=unmap,file={_escaped(path)}")
    yield from ("-drive", f"media=cdrom,readonly=on,format=raw,file={_escaped(context_disc(guest))}")


def _cards(guest: Guest) -> Iterator[str]:
    for number, card in enumerate(guest.hardware.cards):
        rules = [*_forwarded(guest, card), *_onegate(guest)] if number == 0 else []
        yield from ("-netdev", ",".join([f"user,id=card{number}", *_network(card), *rules]))
        yield from ("-device", f"virtio-net-pci,netdev=card{number},mac={card.mac},romfile=")


def _network(card: Card) -> Iterator[str]:
    """A network with nobody in it but the guest and this machine."""
    network = IPv4Network(card.network)
    yield from (
        f"net={network}",
        f"host={visitor(card)}",
        f"dns={network[-3]}",
        f"dhcpstart={network[-4]}",
        "restrict=on",
    )


def visitor(card: Card) -> IPv4Address:
    """As whom this machine is seen in the network of a card."""
    network = IPv4Network(card.network)
    return network[VISITOR] if network.num_addresses > VISITOR + 4 else network[-5]


def _forwarded(guest: Guest, card: Card) -> Iterator[str]:
    for port in PORTS:
        yield f"hostfwd=tcp:{guest.address}:{seen_port(port)}-{card.ip}:{port}"


def _onegate(guest: Guest) -> Iterator[str]:
    if guest.hardware.onegate:
        real, seen = urlsplit(guest.hardware.onegate), urlsplit(onegate_seen(guest))
        words = f"'{sys.executable}' '{relay.__file__}' {real.hostname} {real.port}"
        yield f"guestfwd=tcp:{seen.hostname}:{seen.port}-cmd:{_escaped(words)}"


def _by_virtiofs(guest: Guest, servers: Sequence[Path]) -> Iterator[str]:
    """The servers read and write the guest's memory, so that it has to be shared with them."""
    yield from ("-object", f"memory-backend-memfd,id=memory,size={guest.hardware.memory_mib}M,share=on")
    yield from ("-machine", "memory-backend=memory")
    for number, (mount, place) in enumerate(zip(guest.mounts, servers, strict=True)):
        yield from ("-chardev", f"socket,id=folder{number},path={_escaped(place)}")
        yield from ("-device", f"vhost-user-fs-pci,chardev=folder{number},tag={mount.tag}")


def _by_9p(guest: Guest) -> Iterator[str]:
    for number, mount in enumerate(guest.mounts):
        yield from ("-fsdev", _folder(number, mount))
        yield from ("-device", f"virtio-9p-pci,fsdev=folder{number},mount_tag={mount.tag}")


def _folder(number: int, mount: Mount) -> str:
    """Owners and modes that guests set are kept in attributes: no file here belongs to anybody else."""
    access = ",readonly=on" if mount.read_only else ""
    return f"local,id=folder{number},path={_escaped(mount.path)},security_model=mapped-xattr{access}"


def _escaped(value: object) -> str:
    """A value for qemu's options, in which a comma would begin the next one."""
    return str(value).replace(",", ",,")
