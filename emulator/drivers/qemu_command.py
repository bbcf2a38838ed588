"""The command line of qemu for a guest: its disks, network cards, folders and console."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from emulator.drivers import relay
from emulator.drivers.qemu_network import PORTS, others, seen_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from emulator.drivers.driver import Card, Guest, Mount

MOST_CPUS = 2
#: Hardware's help, and what qemu does without: translation, in a thread for each CPU.
KVM, TRANSLATION = ("-accel", "kvm", "-cpu", "max"), ("-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max")


def command(guest: Guest, program: str, accelerator: Sequence[str], servers: Sequence[Path] = ()) -> list[str]:
    """
    What is run for a guest whose files are prepared in its folder; it has to be run in that folder.

    Sockets are named from there: a socket's path has 107 bytes at most (unix(7)), and a state folder may lie deep.

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
        *("-qmp", f"unix:{control(guest).name},server=on,wait=off"),
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
    return f"http://{others(guest.hardware.cards[0]).onegate}:{urlsplit(guest.hardware.onegate).port}"


def _disks(guest: Guest) -> Iterator[str]:
    yield from ("-drive", f"if=virtio,format=qcow2,file={_escaped(system_disk(guest))}")
    for path, _ in data_disks(guest):
        yield from ("-drive", f"if=virtio,format=raw,discard=unmap,file={_escaped(path)}")
    yield from ("-drive", f"media=cdrom,readonly=on,format=raw,file={_escaped(context_disc(guest))}")


def _cards(guest: Guest) -> Iterator[str]:
    for number, card in enumerate(guest.hardware.cards):
        rules = [*_forwarded(guest, card), *_onegate(guest)] if number == 0 else []
        yield from ("-netdev", ",".join([f"user,id=card{number}", *_network(card), *rules]))
        yield from ("-device", f"virtio-net-pci,netdev=card{number},mac={_escaped(card.mac)},romfile=")


def _network(card: Card) -> Iterator[str]:
    """A network with nobody in it but the guest and this machine."""
    around = others(card)
    yield from (
        f"net={around.network}",
        f"host={around.visitor}",
        f"dns={around.dns}",
        f"dhcpstart={around.dhcp}",
        "restrict=on",
    )


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
        yield from ("-chardev", f"socket,id=folder{number},path={place.name}")
        yield from ("-device", f"vhost-user-fs-pci,chardev=folder{number},tag={_escaped(mount.tag)}")


def _by_9p(guest: Guest) -> Iterator[str]:
    for number, mount in enumerate(guest.mounts):
        yield from ("-fsdev", _folder(number, mount))
        yield from ("-device", f"virtio-9p-pci,fsdev=folder{number},mount_tag={_escaped(mount.tag)}")


def _folder(number: int, mount: Mount) -> str:
    """Owners and modes that guests set are kept in attributes: no file here belongs to anybody else."""
    access = ",readonly=on" if mount.read_only else ""
    return f"local,id=folder{number},path={_escaped(mount.path)},security_model=mapped-xattr{access}"


def _escaped(value: object) -> str:
    """A value for qemu's options, in which a comma would begin the next one."""
    return str(value).replace(",", ",,")
