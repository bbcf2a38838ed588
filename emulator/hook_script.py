"""Runs the commands of hooks: scripts of one folder, and nothing else.

A COMMAND is a path of the front end: `notify.sh` and `/var/lib/one/remotes/hooks/notify.sh` are `FOLDER/notify.sh`, any
other path lies beneath the folder as it lies beneath the root of a front end. Where no folder was given, or there is
no such file, the command is missing. No shell reads a command.

References: OpenNebula src/hem/onehem-server.rb, src/mad/ruby/CommandManager.rb.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import signal
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from emulator.drivers.process import KEPT_ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

HOOKS, REMOTE_HOOKS = "/var/lib/one/remotes/hooks", "/var/tmp/one/hooks"  # noqa: S108  (where hosts have them)
CONCURRENCY = 10
FAILED = 255  # what OpenNebula notes where there is no exit code
GRACE_S = 5.0


@dataclass(frozen=True)
class Script:
    """A command to be run.

    Attributes
    ----------
    command
        Path and arguments, as the log shows them.
    stdin
        What it reads.
    timeout_s
        After how long it is ended; None for never.
    """

    command: str
    stdin: str = ""
    timeout_s: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a command."""

    code: int
    stdout: bytes = b""
    stderr: bytes = b""


class ScriptFolder:
    """Runs scripts, at most ten at a time as OpenNebula does.

    Parameters
    ----------
    folder
        Where the scripts lie; None where there are none.
    environment
        What each script finds in its environment beside the usual.
    """

    def __init__(self, folder: Path | None, environment: Callable[[], Mapping[str, str]]) -> None:
        self._folder = folder.resolve() if folder else None
        self._environment = environment
        self._threads = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="hook")
        self._under_way: set[Future[None]] = set()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._stopping = False

    def start(self, script: Script, then: Callable[[Outcome], None]) -> None:
        """Run a script beside the cloud; `then` is told how it went."""
        future = self._threads.submit(self._run_and_tell, script, then)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)

    def wait(self) -> None:
        """Wait until no script is under way."""
        wait(list(self._under_way))

    def stop(self) -> None:
        """End all scripts."""
        self._stopping = True
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in list(self._processes):
                _signal(process, number)
            wait(list(self._under_way), GRACE_S)
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _run_and_tell(self, script: Script, then: Callable[[Outcome], None]) -> None:
        try:
            then(self.run(script))
        except Exception:
            log.exception("the hook's command %s could not be run", script.command.partition(" ")[0])

    def run(self, script: Script) -> Outcome:
        """Run a script, and wait for it."""
        try:
            name, *arguments = shlex.split(script.command)
            place = self.place_of(name)
            if place is None:
                return _internal_error(f"No such file or directory - {name}")
            return self._run([str(place), *arguments], script)
        except OSError as error:
            return _internal_error(f"{error.strerror} - {name}")
        except ValueError as error:
            return _internal_error(f"{error} - {script.command}")

    def place_of(self, name: str) -> Path | None:
        """The file that a command's path names; None where the folder holds none."""
        if self._folder is None:
            return None
        path = PurePosixPath(name)
        for base in (HOOKS, REMOTE_HOOKS):
            if path.is_relative_to(base):
                path = path.relative_to(base)
        place = self._folder.joinpath(*(part for part in path.parts if part not in {"/", ".."}))
        return place if place.is_file() else None

    def _run(self, command: list[str], script: Script) -> Outcome:
        kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**kept, **self._environment()},
            process_group=0,
        )
        self._processes.add(process)
        try:
            return self._outcome(process, script)
        finally:
            self._processes.discard(process)

    def _outcome(self, process: subprocess.Popen[bytes], script: Script) -> Outcome:
        if self._stopping:
            _signal(process, signal.SIGTERM)
        try:
            told = process.communicate(script.stdin.encode(), script.timeout_s or None)
        except subprocess.TimeoutExpired:
            _end(process)
            return Outcome(FAILED, b"", f"Timeout executing {script.command}".encode())
        return Outcome(process.returncode if process.returncode >= 0 else FAILED, *told)


def _internal_error(text: str) -> Outcome:
    return Outcome(FAILED, b"", f"Internal error {text}".encode())


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a script and what it started: first asked, then not."""
    _signal(process, signal.SIGTERM)
    try:
        process.communicate(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)
        process.communicate()
