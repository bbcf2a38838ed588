"""A driver whose guests are processes of this machine: the appliance's service, as its disk would start it.

Each guest runs in a process group of its own and is told to die with the cloud by the kernel
(PR_SET_PDEATHSIG), so that none outlives it. The driver plays systemd's `Restart=always`.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emulator.drivers.driver import Guest

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 10.0
STEADY_S = 30.0  # a service that ran that long is restarted without a longer pause
GRACE_S = 10.0
POLL_S = 0.05
KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "COVERAGE_PROCESS_START")
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass
class _Running:
    guest: Guest
    before: _Running | None = None
    """Of the same number; it has to be gone before this one starts."""
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    again: float = 0.0  # when to start anew, by the monotonic clock
    stopped: float | None = None  # when it was told to stop
    signals: list[int] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Processes:
    """Guests as processes.

    Parameters
    ----------
    command
        What is run, before the options that tell a guest its context, archive, mounts and address.
    """

    needs_folder = True
    boots_images = False
    ends_by_itself = False

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._guests: dict[int, _Running] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self, guest: Guest) -> None:
        """Start a guest, and keep it running until it is told to stop."""
        with self._lock:
            self._guests[guest.vm_id] = _Running(guest, self._guests.get(guest.vm_id))
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="guests", daemon=True)
                self._thread.start()
        self._wake.set()

    def stop(self, vm_id: int, *, hard: bool) -> None:
        """Tell a guest to stop, and end it when it does not within 10 s."""
        with self._lock:
            running = self._guests.get(vm_id)
            if running is not None:
                running.stopped = time.monotonic() - (GRACE_S if hard else 0.0)
        self._wake.set()

    def changed(self, guest: Guest) -> None:
        """What is new in the folder of its context is read when it is started again."""
        with self._lock:
            if guest.vm_id in self._guests:
                self._guests[guest.vm_id].guest = guest

    def is_there(self, vm_id: int) -> bool:
        """Whether the guest still exists."""
        with self._lock:
            return vm_id in self._guests

    def is_starting(self, vm_id: int) -> bool:  # noqa: ARG002  (of the interface)
        """It runs at once."""
        return False

    def failure(self, vm_id: int) -> str:  # noqa: ARG002  (of the interface)
        """What cannot be started is tried again, and never given up."""
        return ""

    def deploy_id(self, vm_id: int, name: str, host: str) -> str:  # noqa: ARG002  (of the interface)
        """As libvirt would call it."""
        return f"one-{vm_id}"

    def stop_all(self) -> None:
        """Stop all guests, and wait until they are gone."""
        for vm_id in list(self._guests):
            self.stop(vm_id, hard=False)
        with self._lock:
            self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(GRACE_S + 5)

    # the thread: it starts every process itself, since PR_SET_PDEATHSIG follows the thread that forks

    def _watch(self) -> None:
        while True:
            with self._lock:
                for running in list(self._guests.values()):
                    self._care(running)
                busy = any(one.stopped is not None or one.process is None for one in self._guests.values())
                if self._stopping and not self._guests:
                    return
            self._wake.wait(POLL_S if busy else POLL_S * 4)
            self._wake.clear()

    def _care(self, running: _Running) -> None:
        now = time.monotonic()
        if running.stopped is not None:
            if _has_ended(running, now):
                del self._guests[running.guest.vm_id]
        elif _has_left(running, now) and not running.alive and now >= running.again:
            self._start_or_wait(running, now)

    def _start_or_wait(self, running: _Running, now: float) -> None:
        if running.process is not None:  # it died: wait before it is started again
            code, ran_s = running.process.returncode, now - running.started
            running.pause_s = FIRST_PAUSE_S if ran_s > STEADY_S else running.pause_s
            log.warning("guest %s ended with %s; it is started again", running.guest.vm_id, code)
            running.process, running.again = None, now + running.pause_s
            running.pause_s = min(running.pause_s * 2, LAST_PAUSE_S)
            return
        running.started = now
        try:
            running.process = _run(self._command, running.guest)
        except OSError as error:
            log.warning("guest %s cannot be started: %s", running.guest.vm_id, error)
            running.again = now + LAST_PAUSE_S


def _has_ended(running: _Running, now: float) -> bool:
    """Let a guest that was told to stop end; whether it has, and whoever was before it."""
    if running.alive:
        _end(running, now)
    return _has_left(running, now) and not running.alive


def _has_left(running: _Running, now: float) -> bool:
    """Let the one before a guest end, as hard as the guest itself; whether it has."""
    before = running.before
    if before is not None:
        told = [moment for moment in (before.stopped, running.stopped) if moment is not None]
        before.stopped = min(told, default=now)
        if not _has_ended(before, now):
            return False
        running.before = None
    return True


def _end(running: _Running, now: float) -> None:
    assert running.process is not None
    assert running.stopped is not None
    wanted = signal.SIGKILL if now - running.stopped >= GRACE_S else signal.SIGTERM
    if wanted not in running.signals:
        running.signals.append(wanted)
        try:
            os.killpg(running.process.pid, wanted)
        except ProcessLookupError:
            return


def _run(command: Sequence[str], guest: Guest) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    with (guest.folder / "console.log").open("ab") as console:
        return subprocess.Popen(
            [*command, *options(guest)],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            env=environment,
            process_group=0,
            preexec_fn=die_with_parent if sys.platform == "linux" else None,
        )


def started(command: Sequence[str], folder: Path, console: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a program of a machine: it writes to the machine's console, and ends with the cloud."""
    return subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=console,
        stderr=console,
        process_group=0,
        preexec_fn=die_with_parent,
    )


def die_with_parent() -> None:
    """In a new process: end when the thread that has started it ends, however that happens."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def options(guest: Guest) -> list[str]:
    """The command line options that tell a guest its context, archive, mounts and address."""
    archive = guest.data[0] if guest.data else guest.folder / "archive"
    mounts = [part for mount in guest.mounts for part in ("--mount", f"{mount.tag}={mount.path}")]
    return [
        "--context", str(guest.folder / "context"), "--archive", str(archive), *mounts, "--address", guest.address,
    ]  # fmt: skip
