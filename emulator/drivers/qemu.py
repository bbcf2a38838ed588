"""A driver whose guests are virtual machines: qemu, with KVM where this machine has it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emulator.drivers import qemu_command, virtiofs
from emulator.drivers.disc import disc
from emulator.drivers.process import die_with_parent
from emulator.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emulator.drivers.driver import Guest

log = logging.getLogger(__name__)

PROGRAM, IMAGES = "qemu-system-x86_64", "qemu-img"
#: A guest without KVM needs about 10 s to shut down on a free core.
GRACE_S = 60.0
STOP_ALL_GRACE_S = 15.0
ANSWER_S = 3.0
POLL_S = 0.1
CONTEXT_FILES = ("context.sh", "token.txt")
MIB = 1024 * 1024


@dataclass
class _Machine:
    guest: Guest
    process: subprocess.Popen[bytes] | None = None
    servers: Sequence[subprocess.Popen[bytes]] = ()
    """Of its shared folders."""
    failure: str = ""
    """Why it could not be started."""
    unwanted: threading.Event = field(default_factory=threading.Event)
    """It was stopped before it had started."""

    @property
    def starting(self) -> bool:
        return self.process is None and not self.failure

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Machines:
    """Guests as virtual machines; each ends with the cloud, whatever happens to it.

    Raises
    ------
    EmulatorError
        qemu is not installed.
    """

    needs_folder = True
    ends_by_itself = True

    def __init__(self) -> None:
        missing = [program for program in (PROGRAM, IMAGES) if shutil.which(program) is None]
        if missing:
            packages = "qemu-system-x86 qemu-utils"
            raise EmulatorError(f"{', '.join(missing)} not found: apt-get install --no-install-recommends {packages}")
        self._accelerator = own_accelerator()
        self._machines: dict[int, _Machine] = {}
        self._lock = threading.Lock()  # for what is said of a machine that is starting
        # One thread starts them all and lives as long as the cloud: PR_SET_PDEATHSIG follows the thread that forks.
        self._starter = ThreadPoolExecutor(1, "machines")

    def start(self, guest: Guest) -> None:
        """Start a guest, in the background; one of the same number that still shuts down is waited for."""
        before = self._machines.get(guest.vm_id)
        machine = self._machines[guest.vm_id] = _Machine(guest)
        self._starter.submit(self._start, machine, before)

    def stop(self, vm_id: int, *, hard: bool) -> None:
        """Press the power button; a hard stop pulls the plug, as does a guest's taking too long."""
        machine = self._machines.get(vm_id)
        if machine is None:
            return
        with self._lock:
            if machine.starting:
                machine.unwanted.set()
        if not machine.running:
            self._machines.pop(vm_id, None)
            return
        if hard or not _press_power_button(machine.guest):
            _kill(machine)
            return
        timer = threading.Timer(GRACE_S, _kill, [machine])
        timer.daemon = True
        timer.start()

    def is_there(self, vm_id: int) -> bool:
        """Whether the guest runs, or is about to."""
        machine = self._machines.get(vm_id)
        return machine is not None and (machine.starting or machine.running)

    def is_starting(self, vm_id: int) -> bool:
        """Whether it is not known yet that the guest runs."""
        machine = self._machines.get(vm_id)
        return machine is not None and machine.starting

    def failure(self, vm_id: int) -> str:
        """Why the guest could not be started; empty where it was."""
        machine = self._machines.get(vm_id)
        return machine.failure if machine is not None else ""

    def deploy_id(self, vm_id: int, name: str, host: str) -> str:  # noqa: ARG002  (of the interface)
        """As libvirt would call it."""
        return f"one-{vm_id}"

    def stop_all(self) -> None:
        """Stop all guests, and wait until they are gone."""
        for vm_id in list(self._machines):
            self.stop(vm_id, hard=False)
        self._starter.shutdown()
        end = time.monotonic() + STOP_ALL_GRACE_S
        for machine in list(self._machines.values()):
            if machine.process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    machine.process.wait(max(0.0, end - time.monotonic()))
                _kill(machine)

    def _start(self, machine: _Machine, before: _Machine | None) -> None:
        try:
            if before is not None and before.process is not None:
                _wait(before, STOP_ALL_GRACE_S if machine.unwanted.is_set() else GRACE_S)
            if machine.unwanted.is_set():
                return
            prepare(machine.guest)
            server = virtiofs.program()
            if server is not None:
                machine.servers = virtiofs.serve(machine.guest, server)
            process = _run(machine.guest, self._accelerator, by_virtiofs=bool(machine.servers))
            with self._lock:
                machine.process = process
            if machine.unwanted.is_set():
                _kill(machine)
        except (OSError, subprocess.SubprocessError, EmulatorError) as error:
            virtiofs.end(machine.servers)
            machine.failure = str(error)
            log.warning("guest %s cannot be started: %s", machine.guest.vm_id, error)


def own_accelerator() -> Sequence[str]:
    """KVM where a machine starts with it; on some machines it is there and does not work."""
    trial = [PROGRAM, *qemu_command.KVM, "-nodefaults", "-display", "none", "-monitor", "stdio"]
    try:
        done = subprocess.run(trial, input=b"quit\n", capture_output=True, timeout=ANSWER_S * 2, check=False)
    except subprocess.TimeoutExpired:
        return qemu_command.TRANSLATION
    return qemu_command.TRANSLATION if done.returncode else qemu_command.KVM


def prepare(guest: Guest) -> None:
    """
    Lay out the guest's files: its copy of the image, its data disks at their size, its CONTEXT disc.

    Raises
    ------
    EmulatorError
        It has no image, or one that is no disk.
    """
    if guest.hardware.system is None:
        raise EmulatorError("its first disk is no OS image")
    _write_context_disc(guest)
    for path, size_mib in qemu_command.data_disks(guest):
        with path.open("ab") as file:
            if file.tell() < size_mib * MIB:
                file.truncate(size_mib * MIB)
    system = qemu_command.system_disk(guest)
    if not system.exists():
        _images(
            "create", "-q", "-f", "qcow2", "-F", _format(guest.hardware.system), "-b", guest.hardware.system, system
        )


def _format(image: Path) -> str:
    return str(json.loads(_images("info", "--output=json", image))["format"])


def _images(*arguments: object) -> str:
    done = subprocess.run([IMAGES, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise EmulatorError(done.stderr.strip() or f"{IMAGES} failed")
    return done.stdout


def _write_context_disc(guest: Guest) -> None:
    """The files of the context; OneGate is told as the guest can reach it."""
    folder = guest.folder / "context"
    files = {name: (folder / name).read_bytes() for name in CONTEXT_FILES if (folder / name).is_file()}
    if guest.hardware.onegate and "context.sh" in files:
        real, seen = guest.hardware.onegate.encode(), qemu_command.onegate_seen(guest).encode()
        files["context.sh"] = files["context.sh"].replace(b"ONEGATE_ENDPOINT='" + real, b"ONEGATE_ENDPOINT='" + seen)
    path = qemu_command.context_disc(guest)
    path.write_bytes(disc("CONTEXT", files))
    path.chmod(0o600)


def _run(guest: Guest, accelerator: Sequence[str], *, by_virtiofs: bool) -> subprocess.Popen[bytes]:
    """Start qemu; what it says itself stands in the console's file as well."""
    servers = virtiofs.sockets(guest) if by_virtiofs else ()
    qemu_command.control(guest).unlink(missing_ok=True)
    with qemu_command.console(guest).open("ab") as console:
        process = subprocess.Popen(
            qemu_command.command(guest, PROGRAM, accelerator, servers),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            process_group=0,
            preexec_fn=die_with_parent,
        )
    _wait_until_it_listens(guest, process)
    return process


def _wait_until_it_listens(guest: Guest, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + GRACE_S
    while process.poll() is None and not qemu_command.control(guest).exists() and time.monotonic() < end:
        time.sleep(POLL_S)
    if process.poll() is not None:
        raise EmulatorError(f"qemu ended with {process.returncode}: see {qemu_command.console(guest)}")


def _press_power_button(guest: Guest) -> bool:
    """Tell qemu to send the guest ACPI's power button; False where it does not listen."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect(str(qemu_command.control(guest)))
            with connection.makefile("rw") as lines:
                lines.readline()
                return all("return" in _tell(lines, order) for order in ("qmp_capabilities", "system_powerdown"))
    except (OSError, ValueError):
        return False


def _tell(lines: Any, order: str) -> dict[str, Any]:
    """Send an order and wait for its answer; events may stand between."""
    lines.write(json.dumps({"execute": order}) + "\n")
    lines.flush()
    while True:
        answer: dict[str, Any] = json.loads(lines.readline())
        if "event" not in answer:
            return answer


def _wait(machine: _Machine, grace_s: float) -> None:
    assert machine.process is not None
    try:
        machine.process.wait(grace_s)
    except subprocess.TimeoutExpired:
        _kill(machine)
    virtiofs.end(machine.servers)


def _kill(machine: _Machine) -> None:
    if machine.process is not None and machine.process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(machine.process.pid, signal.SIGKILL)
        machine.process.wait()
    virtiofs.end(machine.servers)
