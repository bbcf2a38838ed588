"""The embedded cloud in a process of its own, whose CPU time is told apart from its client's."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.stores import open_store
from provision.desk import Desk
from provision.enrolling.identity import own_identity
from provision.opennebula import Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Embedded:
    """A running embedded cloud and its folders."""

    pid: int
    endpoint: str
    state: Path

    @property
    def auth_file(self) -> Path:
        """Where the administrator's login stands."""
        return self.state / "one_auth"

    @property
    def cpu_s(self) -> float:
        """CPU seconds that it has used, its threads' included."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def desk(self) -> Desk:
        """An admin's desk there."""
        store = open_store(str(self.state / "host/srv/exchange"))
        cloud = Cloud(self.endpoint, self.auth_file.read_text().strip())
        return Desk(cloud, store, own_identity(self.state.parent / "identity.txt"))


@contextmanager
def embedded(folder: Path, delay_ms: int) -> Iterator[Embedded]:
    """Run one until the block ends; every call is answered so much later."""
    state = folder / "state"
    for place in ("srv/exchange", "var/tmp"):
        (state / "host" / place).mkdir(parents=True)
    (state / "host/var/tmp/gurney-appliance.qcow2").write_bytes(bytes(1024))
    program = [sys.executable, "-m", "cli", "emulator", "--state", str(state), "--driver", "none", "--until-closed"]
    with subprocess.Popen(
        [*program, "--delay-ms", str(delay_ms)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        told = process.stdout.readline()
        try:
            yield Embedded(process.pid, told.split("ONE_XMLRPC=")[1].split()[0], state)
        finally:
            process.stdin.close()
            process.wait()
