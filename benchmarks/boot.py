"""How long an appliance takes to boot, and how much memory it uses: `python benchmarks/boot.py [IMAGE]`.

One machine of 512 MiB and 2 CPUs, no other load. SSH is the peer: it is the first thing of the system that answers, so
that the ratio tells what the service itself costs, with KVM and without.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.building import IMAGE, MEGABYTE
from benchmarks.targets import TARGETS, Finding
from provision.image.cache import own_cache
from provision.image.errors import ImageNotBuilt
from tests.image.building import built
from tests.image.lone import HOST, LoneMachine, text_of, variables
from tests.image.shell import Shell, make_key

SETTLED_S = 60
LIMIT_S = 600
SERVICE = 8080
PREFIX = "boot/"
MIB = 1024 * 1024


def main() -> int:
    """Measure and print; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", nargs="?", type=Path, help="else the one of this checkout, built where it has to be")
    parser.add_argument("--repeat", type=int, default=3, help="boots, of which the median counts")
    asked = parser.parse_args()
    image = asked.image or built(own_cache() / "built")
    figures = medians_of(image, asked.repeat)
    print(json.dumps(figures | {"image_mb": round(image.stat().st_size / MEGABYTE)}, indent=2))
    named = {PREFIX + name: value for name, value in figures.items()}
    held = [Finding(target, target.value(named)).holds for target in TARGETS if target.measured(named)]
    return 0 if all(held) else 1


def boot(folder: Path, repeat: int, quick: bool) -> dict[str, float]:
    """The figures of a boot, of three at most; nothing where no machine can be had."""
    if shutil.which("qemu-system-x86_64") is None:
        print("no machine is booted here: qemu-system-x86_64 is not installed", file=sys.stderr)
        return {}
    made = folder / IMAGE
    try:
        image = made if made.exists() else built(own_cache() / "built")
    except ImageNotBuilt as error:
        print(f"no machine is booted here: {error}", file=sys.stderr)
        return {}
    figures = medians_of(image, 1 if quick else min(repeat, 3))
    return {PREFIX + name: value for name, value in figures.items()}


def medians_of(image: Path, repeat: int) -> dict[str, float]:
    """The median of each figure over some boots."""
    runs = [measured(image) for _ in range(repeat)]
    return {name: sorted(run[name] for run in runs)[len(runs) // 2] for name in runs[0]}


def measured(image: Path) -> dict[str, float]:
    """One boot, from the start of qemu; memory after the machine has rested for a minute."""
    with tempfile.TemporaryDirectory(prefix="gurney-boot-") as name:
        folder = Path(name)
        key = make_key(folder / "key")
        foreign = folder / "none.raw"
        foreign.write_bytes(b"x" * MIB)
        wire = f"local.type=unix,local.path={folder}/card,remote.type=unix,remote.path={folder}/nobody"
        machine = LoneMachine(folder / "machine", image, wire, foreign)
        context = variables(SSH_PUBLIC_KEY=key.with_suffix(".pub").read_text())
        begun = time.monotonic()
        machine.start({"context.sh": text_of(context).encode()}, "CONTEXT", uefi=False)
        try:
            return _watched(machine, Shell(HOST, machine.ports[22], key), begun)
        finally:
            machine.end()


def _watched(machine: LoneMachine, root: Shell, begun: float) -> dict[str, float]:
    while not _answers(machine.ports[SERVICE]) and time.monotonic() < begun + LIMIT_S:
        time.sleep(0.1)
    service = time.monotonic() - begun
    time.sleep(SETTLED_S)
    used = int(root.run("free -m").splitlines()[1].split()[2])
    ssh = service - _later(root)
    return {"ssh_s": round(ssh, 1), "service_s": round(service, 1), "service_to_ssh": round(service / ssh, 2),
            "memory_mib": used}  # fmt: skip


def _later(root: Shell) -> float:
    """Seconds from SSH's answering to the service's, by the guest's own clock.

    SSH is not asked from outside while the machine boots: each question costs the guest a process, and those that come
    before its network wait for it, so that a dozen of them would be answered just while the service starts.
    """
    ssh = int(root.run("systemctl show ssh --value -p ActiveEnterTimestampMonotonic")) / 1e6
    served = root.run('journalctl -u gurney -o short-monotonic --no-pager -g \'"event": "serving"\' | tail -1')
    return float(served.split("[")[1].split("]")[0]) - ssh


def _answers(port: int) -> bool:
    with socket.socket() as connection:
        connection.settimeout(1)
        try:
            connection.connect((HOST, port))
            connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            return bool(connection.recv(1))
        except OSError:
            return False


if __name__ == "__main__":
    sys.exit(main())
