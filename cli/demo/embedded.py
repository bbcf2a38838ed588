"""The embedded cloud as a child process: started, waited for, ended with all of its VMs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.console import progress_console
from emulator.drivers.qemu_network import seen_port
from emulator.errors import EmulatorError
from provision.fleet.health import DICOM_PORT, DICOM_TLS_PORT, HTTP_PORT, HTTPS_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 45  # the machines of --vm have 30 s to shut down
#: Where Gurney looks for every appliance, whatever else has the port.
OWN_PORTS = (HTTP_PORT, HTTPS_PORT, DICOM_PORT, DICOM_TLS_PORT)
#: With less room than this the embedded cloud cannot keep its state.
ROOM_BYTES = 1 << 20


@dataclass(frozen=True)
class EmbeddedCloud:
    """A running embedded cloud: where it answers, who may log in, and the folder that stands for its machines."""

    endpoint: str
    auth_file: Path
    state: Path
    driver: str
    process: subprocess.Popen[bytes]

    @property
    def session(self) -> str:
        """The login of the cloud's administrator, `name:password`."""
        return self.auth_file.read_text().strip()

    def on_host(self, path: str) -> Path:
        """The folder here that stands for a path on the cloud's hosts."""
        return self.state / "host" / path.lstrip("/")

    @property
    def has_machines(self) -> bool:
        """Whether its VMs are machines, whose disks are their own, and not processes."""
        return self.driver == "qemu"

    def guest(self, vm_id: int) -> Path:
        """The folder of a VM: its context, its console, its disks."""
        return self.state / "vms" / str(vm_id)

    def ended(self, within_s: float) -> bool:
        """True when the embedded cloud has ended, or ends within a time."""
        try:
            self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True


@contextlib.contextmanager
def embedded_cloud(state: Path, driver: str = "process") -> Iterator[EmbeddedCloud]:
    """Run an embedded cloud whose VMs are processes, or machines, until the block ends.

    Raises
    ------
    EmulatorError
        When it ends, or does not answer within 30 s; with what it said. Or another program has a port of the machines.
    """
    if driver == "qemu":
        _check_ports()
    state.mkdir(parents=True, exist_ok=True)
    log = state / "emulator.log"
    command = [sys.executable, "-m", "cli", "emulator", "--state", str(state), "--driver", driver, "--until-closed"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, process_group=0
        )
    try:
        yield _answering(process, state, driver, log)
    finally:
        _end(process)


def _check_ports() -> None:
    """A machine's ports move where they are taken; of these Gurney knows one place only."""
    taken = [port for port in OWN_PORTS if seen_port(port) != port]
    if taken:
        words = " and ".join(map(str, taken))
        raise EmulatorError(f"Another program has port {words} at all addresses of this machine: end it for as long.")


def _answering(process: subprocess.Popen[bytes], state: Path, driver: str, log: Path) -> EmbeddedCloud:
    """The cloud, once it has said where it answers."""
    deadline = time.monotonic() + START_TIMEOUT_S
    said = state / "endpoint.json"
    while not (said.exists() and _pid_of(said) == process.pid):
        if process.poll() is not None or time.monotonic() > deadline:
            raise EmulatorError(f"The embedded cloud did not start in {state}: {_last_words(log)}")
        time.sleep(0.05)
    place = json.loads(said.read_text())
    return EmbeddedCloud(place["endpoint"], Path(place["auth_file"]), state, driver, process)


def _last_words(log: Path) -> str:
    """What it said last; a full disk keeps even that."""
    words = log.read_text(errors="replace").strip().splitlines()
    if shutil.disk_usage(log.parent).free < ROOM_BYTES:
        return f"no space is left on the disk of {log.parent}; free some, or name another folder with --keep"
    return words[-1] if words else f"it wrote nothing to {log}"


def _pid_of(said: Path) -> int:
    return int(json.loads(said.read_text())["pid"])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to stop; insist when it does not: its VMs die with it."""
    if process.poll() is None:
        process.terminate()
    assert process.stdin is not None
    process.stdin.close()
    with progress_console().status("Stopping the appliances and the embedded cloud ..."):
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
