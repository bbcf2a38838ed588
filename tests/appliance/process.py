"""A real appliance: the command `gurney appliance run` in a process of its own, on an address of its own."""

from __future__ import annotations

import json
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

from tests.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.settings import Modality
    from tests.appliance.community import Community

KILL_AT = Path(__file__).with_name("kill_at.py")


def free_address() -> str:
    """A loopback address on which nobody listens at the appliance's ports; one for each test."""
    while True:
        address = f"127.{random.randint(200, 250)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
        if all(_is_free(address, port) for port in (8080, 8443, 11112, 2762)):
            return address


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


class ApplianceProcess:
    """One branch's appliance; started, killed and started again on the same folders."""

    def __init__(self, folder: Path, community: Community, branch: str = "erode", address: str | None = None) -> None:
        self.community, self.branch = community, branch
        self.archive, self.context, self.log = folder / "archive", folder / "context", folder / "log"
        self.address = address or free_address()
        self.ae_title = branch.upper()
        self.archive.mkdir(parents=True)
        self.context.mkdir()
        self._write_context()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, kill_at: Sequence[str] = (), wait: bool = True, prefix: Sequence[str] = ()) -> Self:
        """Start it, as the embedded cloud does; `kill_at` are the arguments of kill_at.py before the `--`."""
        program = [sys.executable, str(KILL_AT), *kill_at, "--"] if kill_at else [sys.executable, "-m", "cli"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*prefix, *program, *self.arguments], stdout=log, stderr=log)
        if wait:
            until(lambda: self.health() is not None)
        return self

    @property
    def arguments(self) -> list[str]:
        context = self.community.context(self.branch)
        places = {"context": self.context, "archive": self.archive, "address": self.address}
        options = [part for name, value in places.items() for part in (f"--{name}", str(value))]
        mounts = [f"--mount=exchange={context.exchange}", f"--mount=outbox={context.outbox}"]
        return ["appliance", "run", *options, *mounts]

    def enrol(self, *modalities: Modality) -> Self:
        """Be named in the directory, with these modalities in the settings; waits until it has read them."""
        until((self.archive / "keys" / "enrolment.json").exists)
        self.community.admit_file(self.branch, self.archive / "keys", self.address)
        self.community.appoint(self.branch, modalities=modalities)
        version = self.community.settings[self.branch].version
        until(lambda: (self.health() or {}).get("settings", 0) >= version)
        return self

    def health(self) -> dict[str, Any] | None:
        assert self.process is not None
        assert self.process.poll() is None, f"the appliance has ended: {self.log.read_text()[-3000:]}"
        try:
            answer = httpx.get(f"http://{self.address}:8080/health", trust_env=False, timeout=30)
        except httpx.HTTPError:
            return None
        return answer.json() if answer.status_code == 200 else None

    def wait_until_drawn(self) -> None:
        until(lambda: (self.health() or {}).get("pending_renditions") == 0)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> float:
        """SIGTERM; returns how many seconds it took."""
        began = time.monotonic()
        self._end(signal.SIGTERM)
        return time.monotonic() - began

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE_S)
            self.process = None

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        """Ask the index, by SQLite itself."""
        connection = sqlite3.connect(f"file:{self.archive / 'index.sqlite'}?mode=ro", uri=True)
        try:
            return connection.execute(question).fetchall()
        finally:
            connection.close()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def _write_context(self) -> None:
        context = self.community.context(self.branch)
        values = {
            "GURNEY_COMMUNITY": context.community,
            "GURNEY_BRANCH": context.branch,
            "GURNEY_AE_TITLE": context.ae_title,
            "GURNEY_COMMUNITY_KEY": context.community_key,
            "GURNEY_RECOVERY_KEY": context.recovery_key,
            "VMID": str(context.vm_id),
        }
        text = "".join(f"{name}='{value}'\n" for name, value in values.items())
        (self.context / "context.sh").write_text(f"# Context variables generated by OpenNebula\n{text}")
