"""One machine without a cloud: its first card on a wire that the test holds, its second for the admin's SSH."""

from __future__ import annotations

import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.drivers import qemu_command, qmp
from emulator.drivers.disc import disc
from emulator.drivers.driver import Card, Guest, Hardware, Mount
from emulator.drivers.process import die_with_parent
from emulator.drivers.qemu import own_accelerator
from emulator.drivers.qemu_files import prepare
from emulator.objects.vm_context import context_file
from exchange.keys import SigningKey
from tests.exchange.sshd import free_port
from tests.image.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE.fd")
MAC, GUEST, NETWORK = "02:00:0a:14:01:0a", "10.20.1.10", "10.20.1.0/24"
ADMIN_MAC, ADMIN_GUEST, ADMIN_NETWORK = "02:00:0a:63:00:0a", "10.99.0.10", "10.99.0.0/24"
HOST = "127.0.0.1"
MEMORY_MIB, ARCHIVE_MIB = 512, 256


@dataclass
class LoneMachine:
    """A machine whose folder is prepared.

    Attributes
    ----------
    wire
        What qemu is told of the other end of the first card.
    foreign
        A disk that is attached and is nobody's archive.
    restricted
        Whether the second card leads to nothing but the test.
    """

    folder: Path
    image: Path
    wire: str
    foreign: Path
    restricted: bool = True
    process: subprocess.Popen[bytes] | None = None
    discs: int = 0
    ports: dict[int, int] = field(default_factory=lambda: {port: free_port() for port in (22, 8080)})

    def start(self, files: Mapping[str, bytes], volume: str, *, uefi: bool = True) -> None:
        """Boot on the machine type that OpenNebula takes, by UEFI or by BIOS, with a disc of these files."""
        guest = self.guest
        for each in (*guest.data, *(mount.path for mount in guest.mounts), self.folder / "context"):
            each.mkdir(parents=True, exist_ok=True)
        prepare(guest)
        qemu_command.context_disc(guest).write_bytes(disc(volume, files))
        command = qemu_command.command(guest, "qemu-system-x86_64", own_accelerator())
        changed = [self._changed(word) for word in command] + self._further(uefi=uefi)
        self.process = subprocess.Popen(changed, cwd=self.folder, preexec_fn=die_with_parent)

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @property
    def guest(self) -> Guest:
        exchange = self.folder / "exchange"
        return Guest(
            vm_id=0,
            name="erode",
            folder=self.folder,
            address=HOST,
            data=(self.folder / "archive",),
            mounts=(Mount("exchange", exchange, read_only=True), Mount("outbox", exchange / "out" / "erode")),
            hardware=Hardware(
                2,
                MEMORY_MIB,
                self.image,
                (ARCHIVE_MIB,),
                (Card(MAC, GUEST, NETWORK), Card(ADMIN_MAC, ADMIN_GUEST, ADMIN_NETWORK)),
            ),
        )

    def _changed(self, word: str) -> str:
        """The driver's own command line, with the first card on the wire."""
        if word.startswith("user,id=card0"):
            return f"dgram,id=card0,{self.wire}"
        if word.startswith("user,id=card1"):
            ports = (f"hostfwd=tcp:{HOST}:{own}-{ADMIN_GUEST}:{port}" for port, own in self.ports.items())
            return ",".join([word if self.restricted else word.replace("restrict=on", "restrict=off"), *ports])
        return "q35" if word == "pc" else word

    def _further(self, *, uefi: bool) -> list[str]:
        firmware = ("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE}")
        return [*(firmware if uefi else ()), "-drive", f"if=virtio,format=raw,file={self.foreign}"]

    def console(self) -> str:
        path = qemu_command.console(self.guest)
        return path.read_text(errors="replace") if path.exists() else ""

    def until_said(self, words: str, timeout_s: float) -> None:
        until(lambda: self._has_said(words), words, timeout_s)

    def _has_said(self, words: str) -> bool:
        ended = self.process is None or self.process.poll() is not None
        said = words in self.console()
        assert said or not ended, f"qemu has ended before: {words}"
        return said

    def answers(self, port: int) -> bool:
        """Whether a port answers on the admin's card: qemu itself takes every connection."""
        with socket.socket() as connection:
            connection.settimeout(5)
            try:
                connection.connect((HOST, self.ports[port]))
                connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
                return bool(connection.recv(1))
            except OSError:
                return False

    def order(self, name: str, **arguments: object) -> Any:
        """Tell qemu to do something."""
        return qmp.tell(qemu_command.control(self.guest), name, **arguments)

    def change_disc(self, text: str, volume: str = "CONTEXT") -> None:
        """What OpenNebula does when the context of a running machine is changed: another disc in the same drive."""
        self.discs += 1
        path = self.folder / f"disc{self.discs}.iso"
        path.write_bytes(disc(volume, {"context.sh": text.encode()}))
        device = next(each["device"] for each in self.order("query-block") if each["removable"])
        self.order("blockdev-change-medium", device=device, filename=str(path), format="raw", force=True)

    def grow_archive(self, size_mib: int) -> None:
        """What OpenNebula does when the disk of a running machine is resized."""
        devices = self.order("query-block")
        path = str(self.folder / "archive" / "disk.raw")
        device = next(each["device"] for each in devices if each.get("inserted", {}).get("file") == path)
        self.order("block_resize", device=device, size=size_mib * 1024 * 1024)


def variables(**more: str) -> dict[str, str]:
    """A context as OpenNebula writes it for this machine."""
    key = str(SigningKey.generate().public.text)
    return {
        "VMID": "0",
        "SET_HOSTNAME": "erode",
        "GURNEY_COMMUNITY": "kongu",
        "GURNEY_BRANCH": "erode",
        "GURNEY_AE_TITLE": "ERODE",
        "GURNEY_COMMUNITY_KEY": key,
        "GURNEY_RECOVERY_KEY": key,
        "GURNEY_ADMIN_NETWORKS": ADMIN_NETWORK,
        "ETH0_MAC": MAC,
        "ETH0_IP": GUEST,
        "ETH0_MASK": "255.255.255.0",
        "ETH1_MAC": ADMIN_MAC,
        "ETH1_IP": ADMIN_GUEST,
        "ETH1_MASK": "255.255.255.0",
        "DISK2_MOUNT_TAG": "exchange",
        "DISK2_MOUNT_POINT": "/mnt/exchange",
        "DISK3_MOUNT_TAG": "outbox",
        "DISK3_MOUNT_POINT": "/mnt/outbox",
        **more,
    }


def text_of(values: dict[str, str]) -> str:
    """The disc's file."""
    return context_file(values)
