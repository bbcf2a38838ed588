"""One machine of qemu, from its start to its end: whether it runs is what qemu answers, and nothing else."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

from emulator.drivers import qemu_change, qemu_command, qemu_network, qmp, virtiofs
from emulator.drivers.process import started
from emulator.drivers.qemu_files import prepare
from emulator.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emulator.drivers.driver import Guest

log = logging.getLogger(__name__)

PROGRAM = "qemu-system-x86_64"
#: A guest without KVM needs about 10 s to shut down on a free core.
GRACE_S = 60.0
POLL_S = 0.1
ATTEMPTS = 3
LAST_WORDS = 400


class Machine:
    """A machine that is being started, runs, or is gone.

    Parameters
    ----------
    before
        The machine of the same number that was told to stop: this one starts when it is gone.
    """

    def __init__(self, guest: Guest, before: Machine | None = None) -> None:
        self.guest = guest
        self.process: subprocess.Popen[bytes] | None = None
        self.failure = ""
        """Why it could not be started."""
        self._servers: Sequence[subprocess.Popen[bytes]] = ()  # of its shared folders
        self._before = before
        self._unwanted = threading.Event()  # it was stopped before it had started
        self._tried = threading.Event()  # it runs, or is known not to
        self._changing = threading.Lock()

    @property
    def starting(self) -> bool:
        """Whether it is not known yet that it runs."""
        return not self._tried.is_set()

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.process is not None and self.process.poll() is None

    @property
    def is_there(self) -> bool:
        """Whether it runs, or may yet; one that starts counts for the one before it, which may still run."""
        return self.starting or self.running

    def start(self, accelerator: Sequence[str]) -> None:
        """Start it, and return when it runs or is known not to.

        The thread must live as long as the machine: PR_SET_PDEATHSIG follows the thread that forks.
        """
        try:
            self._follow()
            if not self._unwanted.is_set():
                self._run(accelerator)
        except (OSError, subprocess.SubprocessError, EmulatorError) as error:
            self._fail(error)
            log.warning("guest %s cannot be started: %s", self.guest.vm_id, self.failure)
        except Exception as error:
            self._fail(error)
            log.exception("guest %s cannot be started", self.guest.vm_id)
        finally:
            if self._unwanted.is_set():
                self._kill()
            self._tried.set()

    def stop(self, *, hard: bool) -> None:
        """Press the power button; a hard stop pulls the plug, as does a guest's taking too long."""
        before = self._before
        if before is not None and hard:
            before.stop(hard=True)
        if self.starting:
            self._unwanted.set()
            self._kill()
            return
        if hard:
            self._kill()
            return
        for thread in (threading.Timer(GRACE_S, self._kill), threading.Thread(target=self._press_power_button)):
            thread.daemon = True
            thread.start()

    def change(self, guest: Guest) -> None:
        """Let it see what has changed, once it is known whether it runs."""
        self._tried.wait()
        with self._changing:
            for _ in range(ATTEMPTS):
                if not self.running or self._shows(guest):
                    return

    def _shows(self, guest: Guest) -> bool:
        try:
            qemu_change.show(guest)
        except (OSError, EmulatorError) as error:
            qemu_command.context_disc(guest).unlink(missing_ok=True)  # it is to be replaced still
            log.warning("guest %s does not see what has changed: %s", guest.vm_id, error)
            return False
        return True

    def _follow(self) -> None:
        if self._before is not None:
            self._before.wait(GRACE_S)
            self._before = None

    def wait(self, grace_s: float) -> None:
        """Wait until it is gone, and end it when it takes longer."""
        self._tried.wait()
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(grace_s)
        self._kill()

    def _run(self, accelerator: Sequence[str]) -> None:
        """Start qemu; what it says itself stands in the console's file as well."""
        prepare(self.guest)
        server = virtiofs.program()
        if server is not None:
            self._servers = virtiofs.serve(self.guest, server)
        sockets = virtiofs.sockets(self.guest) if self._servers else ()
        command = qemu_command.command(self.guest, PROGRAM, accelerator, sockets)
        qemu_command.control(self.guest).unlink(missing_ok=True)
        with qemu_command.console(self.guest).open("ab") as console:
            console.write(self._moved_ports().encode())
            console.flush()
            begin = console.tell()
            self.process = started(command, self.guest.folder, console)
        try:
            self._wait_until_it_runs(self.process)
        except EmulatorError as error:
            raise EmulatorError(f"{error}: {_words(qemu_command.console(self.guest), begin, command)}") from error

    def _moved_ports(self) -> str:
        """What the console says of the guest's ports that are not where they should be."""
        moved = qemu_network.moved_ports() if self.guest.hardware.cards else {}
        address = self.guest.address
        return "".join(f"port {port} cannot be had here: it is at {address}:{moved[port]}\n" for port in moved)

    def _wait_until_it_runs(self, process: subprocess.Popen[bytes]) -> None:
        """Its control socket is there before its disks and cards are: only an answer says that it runs."""
        end = time.monotonic() + GRACE_S
        while process.poll() is None:
            if self._unwanted.is_set() or self._answers():
                return
            if time.monotonic() > end:
                raise EmulatorError(f"qemu says for {GRACE_S:g} s that it does not run")
            self._unwanted.wait(POLL_S)
        if not self._unwanted.is_set():
            raise EmulatorError(f"qemu ended with {process.returncode}")

    def _answers(self) -> bool:
        try:
            return bool(qmp.tell(qemu_command.control(self.guest), "query-status")["status"] == "running")
        except (OSError, EmulatorError):
            return False

    def _press_power_button(self) -> None:
        """Have qemu send the guest ACPI's power button, however long it takes to answer; it ends where none listens."""
        try:
            qmp.tell(qemu_command.control(self.guest), "system_powerdown", patience_s=GRACE_S)
        except (OSError, EmulatorError):
            self._kill()

    def _fail(self, error: Exception) -> None:
        self._kill()
        if not self._unwanted.is_set():
            self.failure = str(error) or type(error).__name__

    def _kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        virtiofs.end(self._servers)


def _words(console: Path, begin: int, command: Sequence[str]) -> str:
    """What qemu and the folders' servers have said on a console since it was as long as this."""
    with console.open("rb") as file:
        file.seek(begin)
        said = file.read().decode(errors="replace").replace(f"{PROGRAM}: ", "")
    for option in command:  # qemu repeats the one that it complains of, and some are long
        said = said.replace(f" {option}: ", ": ")
    words = "".join(sign for sign in "; ".join(said.split("\n")).strip("; ") if sign.isprintable())
    return words[-LAST_WORDS:] or f"see {console}"
