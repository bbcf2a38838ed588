"""A driver whose guests are virtual machines: qemu, with KVM where this machine has it."""

from __future__ import annotations

import logging
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from emulator.drivers import qemu_command, qemu_files, qemu_network
from emulator.drivers.qemu_machine import POLL_S, PROGRAM, Machine
from emulator.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emulator.drivers.driver import Guest

log = logging.getLogger(__name__)

STOP_ALL_GRACE_S = 30.0
TRIAL_S = 6.0
AT_ONCE = 8


class Machines:
    """Guests as virtual machines; each ends with the cloud, whatever happens to it.

    Raises
    ------
    EmulatorError
        qemu is not installed.
    """

    needs_folder = True
    boots_images = True
    ends_by_itself = True

    def __init__(self) -> None:
        missing = [program for program in (PROGRAM, qemu_files.PROGRAM) if shutil.which(program) is None]
        if missing:
            packages = "qemu-system-x86 qemu-utils"
            raise EmulatorError(f"{', '.join(missing)} not found: apt-get install --no-install-recommends {packages}")
        if moved := qemu_network.moved_ports():
            log.warning("machines have their ports %s %s higher", ", ".join(map(str, moved)), qemu_network.SHIFT)
        self._accelerator = own_accelerator()
        self._machines: dict[int, Machine] = {}
        # Its threads live as long as the cloud, as they must: PR_SET_PDEATHSIG follows the thread that forks.
        self._starter = ThreadPoolExecutor(AT_ONCE, "machines")

    def start(self, guest: Guest) -> None:
        """Start a guest, in the background; one of the same number that still shuts down is waited for."""
        machine = self._machines[guest.vm_id] = Machine(guest, self._machines.get(guest.vm_id))
        self._starter.submit(machine.start, self._accelerator)

    def stop(self, vm_id: int, *, hard: bool) -> None:
        """Press the power button; a hard stop pulls the plug, as does a guest's taking too long."""
        machine = self._machines.get(vm_id)
        if machine is not None:
            machine.stop(hard=hard)
            if not machine.is_there:
                self._machines.pop(vm_id, None)

    def changed(self, guest: Guest) -> None:
        """Replace the CONTEXT disc of a guest that runs, and let its data disks grow, in the background."""
        machine = self._machines.get(guest.vm_id)
        if machine is not None:
            self._starter.submit(machine.change, guest)

    def is_there(self, vm_id: int) -> bool:
        """Whether the guest runs, or is about to."""
        machine = self._machines.get(vm_id)
        return machine is not None and machine.is_there

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
        """Press every guest's power button, and wait until they are gone; who takes longer than 30 s is unplugged."""
        with ThreadPoolExecutor(AT_ONCE) as buttons:
            list(buttons.map(lambda vm_id: self.stop(vm_id, hard=False), list(self._machines)))
        end = time.monotonic() + STOP_ALL_GRACE_S
        while time.monotonic() < end and any(map(self.is_there, list(self._machines))):
            time.sleep(POLL_S)
        for vm_id in list(self._machines):
            self.stop(vm_id, hard=True)
        self._starter.shutdown()  # last: its threads' end is that of the machines which they have started


def own_accelerator() -> Sequence[str]:
    """KVM where a machine starts with it; on some machines it is there and does not work."""
    trial = [PROGRAM, *qemu_command.KVM, "-nodefaults", "-display", "none", "-monitor", "stdio"]
    try:
        done = subprocess.run(trial, input=b"quit\n", capture_output=True, timeout=TRIAL_S, check=False)
    except subprocess.TimeoutExpired:
        return qemu_command.TRANSLATION
    return qemu_command.TRANSLATION if done.returncode else qemu_command.KVM
