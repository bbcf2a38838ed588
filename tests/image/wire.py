"""One end of an Ethernet wire whose other end is a machine's card: neighbours, a router, a clock, and a port scanner.

qemu carries frames as datagrams over a socket, so that it needs no rights, no bridge and no namespace.

References: RFC 826 (ARP), RFC 791, RFC 9293 (TCP), RFC 8200, RFC 4861 (IPv6 neighbours), RFC 5905 (NTP).
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

Address = IPv4Address | IPv6Address

ROUTER_MAC = bytes.fromhex("020000000001")
ARP, IP4, IP6 = 0x0806, 0x0800, 0x86DD
TCP, UDP, ICMP6 = 6, 17, 58
SYN, RST, ACK = 0x02, 0x04, 0x10
SOLICIT, ADVERT = 135, 136
NTP_PORT, NTP_EPOCH = 123, 2_208_988_800
SOURCE_PORT = 40_000
TRIES, PAUSE_S, AT_ONCE, REST_S = 2, 0.05, 200, 2.0
LONGEST = 65_536


@dataclass
class Wire:
    """The host's end, at which everybody stands who is not the machine.

    Attributes
    ----------
    present
        Addresses that are somebody's on this wire: they answer who asks for them.
    clock_ahead_s
        How far the clock of everybody here is ahead; they all answer NTP.
    asked
        Address and port of each UDP datagram that the machine has sent.
    """

    folder: Path
    guest_mac: str
    present: Collection[str]
    clock_ahead_s: float = 0.0
    asked: set[tuple[str, int]] = field(default_factory=set)
    opened: dict[str, set[int]] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.folder / "host-end"))
        self._mac = bytes.fromhex(self.guest_mac.replace(":", ""))
        self._present = {ip_address(text) for text in self.present}
        threading.Thread(target=self._listen, name="wire", daemon=True).start()

    @property
    def netdev(self) -> str:
        """What qemu is told of the card's other end."""
        ends = {"local": self.folder / "card-end", "remote": self.folder / "host-end"}
        return ",".join(f"{name}.type=unix,{name}.path={path}" for name, path in ends.items())

    def close(self) -> None:
        self._socket.close()

    def scan(self, source: str, target: str, ports: Iterable[int]) -> set[int]:
        """The TCP ports of the machine that take a connection from an address, asked for several times."""
        opened = self.opened[source] = set()
        for _ in range(TRIES):
            for number, port in enumerate(ports, 1):
                self._send_tcp(source, target, port, SYN)
                if number % AT_ONCE == 0:
                    time.sleep(PAUSE_S)
            time.sleep(REST_S)
        return opened

    def _send_tcp(self, source: str, target: str, port: int, flags: int, number: int = 1) -> None:
        head = struct.pack("!HHIIBBHHH", SOURCE_PORT, port, number, 0, 5 << 4, flags, 64240, 0, 0)
        self._send(ip_address(source), ip_address(target), TCP, head, 16)

    def _send(self, source: Address, target: Address, protocol: int, body: bytes, checksum_at: int) -> None:
        """Send a packet of which the checksum is still to be put in."""
        false_head = source.packed + target.packed + struct.pack("!II", len(body), protocol)
        summed = body[:checksum_at] + struct.pack("!H", checksum(false_head + body)) + body[checksum_at + 2 :]
        kind, head = _head(source, target, protocol, len(summed))
        self._frame(kind, head + summed)

    def _frame(self, kind: int, packet: bytes) -> None:
        with contextlib.suppress(OSError):  # the machine is off
            self._socket.sendto(
                self._mac + ROUTER_MAC + struct.pack("!H", kind) + packet, str(self.folder / "card-end")
            )

    def _listen(self) -> None:
        answers = {ARP: self._arp, IP4: self._ip4, IP6: self._ip6}
        with contextlib.suppress(OSError):  # closed
            while frame := self._socket.recv(LONGEST):
                answer = answers.get(int.from_bytes(frame[12:14], "big"))
                if answer is not None:
                    self.sizes.append(len(frame) - 14)
                    answer(frame[14:])

    def _arp(self, packet: bytes) -> None:
        wanted = packet[24:28]
        if packet[7] == 1 and IPv4Address(wanted) in self._present:
            self._frame(ARP, packet[:6] + b"\0\2" + ROUTER_MAC + wanted + self._mac + packet[14:18])

    def _ip4(self, packet: bytes) -> None:
        start = (packet[0] & 15) * 4
        self._taken(IPv4Address(packet[12:16]), IPv4Address(packet[16:20]), packet[9], packet[start:])

    def _ip6(self, packet: bytes) -> None:
        source, target = IPv6Address(packet[8:24]), IPv6Address(packet[24:40])
        if packet[6] == ICMP6 and packet[40] == SOLICIT:
            self._advertise(source, IPv6Address(packet[48:64]))
        else:
            self._taken(source, target, packet[6], packet[40:])

    def _advertise(self, asker: IPv6Address, wanted: IPv6Address) -> None:
        if wanted in self._present:
            body = struct.pack("!BBHI", ADVERT, 0, 0, 0x60000000) + wanted.packed + b"\2\1" + ROUTER_MAC
            self._send(wanted, asker, ICMP6, body, 2)

    def _taken(self, guest: Address, other: Address, protocol: int, body: bytes) -> None:
        if protocol == TCP and body[13] & (SYN | ACK) == SYN | ACK:
            port, _, _, number = struct.unpack_from("!HHII", body)
            self.opened.setdefault(str(other), set()).add(port)
            self._send_tcp(str(other), str(guest), port, RST, number)
        elif protocol == UDP:
            source, target = struct.unpack_from("!HH", body)
            self.asked.add((str(other), target))
            if target == NTP_PORT and other in self._present:
                self._tell_time(guest, other, source, body[8:])

    def _tell_time(self, guest: Address, other: Address, port: int, question: bytes) -> None:
        """RFC 5905, 7.3: a server of stratum 1, the client's transmit time as the origin."""
        now = time.time() + self.clock_ahead_s + NTP_EPOCH
        stamp = struct.pack("!II", int(now), int(now % 1 * 2**32))
        told = struct.pack("!BBbbII4s", 0x24, 1, 6, -20, 0, 0, b"TEST") + stamp + question[40:48] + stamp + stamp
        self._send(other, guest, UDP, struct.pack("!HHHH", NTP_PORT, port, 8 + len(told), 0) + told, 6)


def _head(source: Address, target: Address, protocol: int, length: int) -> tuple[int, bytes]:
    if isinstance(source, IPv6Address):
        return IP6, struct.pack("!IHBB", 6 << 28, length, protocol, 255) + source.packed + target.packed
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, protocol, 0) + source.packed + target.packed
    return IP4, head[:10] + struct.pack("!H", checksum(head)) + head[12:]


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
