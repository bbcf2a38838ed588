"""A machine on a real wire: run in a network namespace of its own, boots the image and looks at it from two networks.

`python scan.py FOLDER IMAGE` prints one JSON document: the ports that are open, by whom and when they were looked at.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from emulator.drivers import qemu_command
from emulator.drivers.disc import disc
from emulator.drivers.driver import Card, Guest, Hardware, Mount
from emulator.drivers.qemu import own_accelerator, prepare
from emulator.objects.vm_context import context_file
from exchange.keys import SigningKey

FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE.fd")
GUEST, ROUTER, COLLEAGUE, NEIGHBOUR = "10.20.1.10", "10.20.1.1", "10.20.1.77", "10.20.2.77"
MAC = "02:00:0a:14:01:0a"
PORTS = (
    *range(1, 1200),
    *range(2700, 2800),
    3306,
    4242,
    5432,
    5900,
    *range(8000, 8500),
    *range(9000, 9200),
    *range(11100, 11130),
)
AT_ONCE, ANSWER_S, BOOT_S = 400, 4.0, 400.0


def main(folder: Path, image: Path) -> None:
    wire()
    guest = make_guest(folder, image)
    prepare(guest)
    process = subprocess.Popen(on_a_wire(qemu_command.command(guest, "qemu-system-x86_64", own_accelerator())))
    try:
        until_open(COLLEAGUE, 11112)
        until_open(COLLEAGUE, 445)
        seen = {"colleague": scan(COLLEAGUE), "neighbour": scan(NEIGHBOUR)}
        exchange_context(guest, GURNEY_ADMIN_NETWORKS="10.20.2.0/24", SET_HOSTNAME="renamed")
        until_open(NEIGHBOUR, 22)
        until_open(NEIGHBOUR, 8080)
        seen["neighbour, now an admin"] = scan(NEIGHBOUR)
        print(json.dumps(seen))
    finally:
        process.kill()
        process.wait()


def wire() -> None:
    """One end of the branch's wire, at which its router stands as well; the neighbour is behind the router."""
    for words in (
        "link set lo up",
        "tuntap add dev tap0 mode tap",
        f"addr add {ROUTER}/24 dev tap0",
        f"addr add {COLLEAGUE}/24 dev tap0",
        "link set tap0 up",
        f"addr add {NEIGHBOUR}/32 dev lo",
    ):
        subprocess.run(["ip", *words.split()], check=True)


def make_guest(folder: Path, image: Path) -> Guest:
    exchange, archive = folder / "exchange", folder / "archive"
    for each in (exchange / "out" / "erode", archive, folder / "context"):
        each.mkdir(parents=True)
    (folder / "context" / "context.sh").write_text(context_file(variables()))
    return Guest(
        vm_id=0,
        name="erode",
        folder=folder,
        address="127.0.0.1",
        data=(archive,),
        mounts=(Mount("exchange", exchange, read_only=True), Mount("outbox", exchange / "out" / "erode")),
        hardware=Hardware(1, 768, image, (1024,), (Card(MAC, GUEST, "10.20.1.0/24"),)),
    )


def variables(**more: str) -> dict[str, str]:
    key = str(SigningKey.generate().public.text)
    return {
        "VMID": "0",
        "SET_HOSTNAME": "erode",
        "GURNEY_COMMUNITY": "kongu",
        "GURNEY_BRANCH": "erode",
        "GURNEY_AE_TITLE": "ERODE",
        "GURNEY_COMMUNITY_KEY": key,
        "GURNEY_RECOVERY_KEY": key,
        "ETH0_MAC": MAC,
        "ETH0_IP": GUEST,
        "ETH0_MASK": "255.255.255.0",
        "ETH0_GATEWAY": ROUTER,
        "DISK2_MOUNT_TAG": "exchange",
        "DISK2_MOUNT_POINT": "/mnt/exchange",
        "DISK3_MOUNT_TAG": "outbox",
        "DISK3_MOUNT_POINT": "/mnt/outbox",
        **more,
    }


def on_a_wire(command: list[str]) -> list[str]:
    """The driver's command line, for q35 and UEFI, with the card on the wire."""
    changed = [
        re.sub(r"^user,id=card0,.*", "tap,id=card0,ifname=tap0,script=no,downscript=no", word) for word in command
    ]
    changed[changed.index("pc")] = "q35"
    return [*changed, "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE}"]


def until_open(source: str, port: int) -> None:
    end = time.monotonic() + BOOT_S
    while not asyncio.run(is_open(source, port, asyncio.Semaphore(1))):
        if time.monotonic() > end:
            raise SystemExit(f"port {port} did not open for {source}")
        time.sleep(0.5)


def scan(source: str) -> list[int]:
    async def all_ports() -> list[bool]:
        turns = asyncio.Semaphore(AT_ONCE)
        return await asyncio.gather(*(is_open(source, port, turns) for port in PORTS))

    return [port for port, opened in zip(PORTS, asyncio.run(all_ports()), strict=True) if opened]


async def is_open(source: str, port: int, turns: asyncio.Semaphore) -> bool:
    async with turns:
        try:
            connecting = asyncio.open_connection(GUEST, port, local_addr=(source, 0))
            _, writer = await asyncio.wait_for(connecting, ANSWER_S)
        except OSError:
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True


def exchange_context(guest: Guest, **more: str) -> None:
    """What OpenNebula does when the context of a running machine is changed: another disc in the same drive."""
    path = guest.folder / "another.iso"
    path.write_bytes(disc("CONTEXT", {"context.sh": context_file(variables(**more)).encode()}))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(qemu_command.control(guest)))
        with connection.makefile("rw") as lines:
            lines.readline()
            for order, arguments in (
                ("qmp_capabilities", {}),
                ("query-block", {}),
            ):
                answer = ask(lines, order, arguments)
            device = next(each["device"] for each in answer["return"] if each["removable"])
            given = {"device": device, "filename": str(path), "format": "raw", "force": True}
            answer = ask(lines, "blockdev-change-medium", given)
            assert "return" in answer, answer


def ask(lines: Any, order: str, arguments: dict[str, Any]) -> dict[str, Any]:
    lines.write(json.dumps({"execute": order, "arguments": arguments}) + "\n")
    lines.flush()
    while "event" in (answer := json.loads(lines.readline())):
        pass
    return dict(answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
