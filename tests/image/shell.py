"""A root shell in a machine: ssh, as an admin's workstation runs it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = {
    "StrictHostKeyChecking": "no",
    "UserKnownHostsFile": "/dev/null",
    "LogLevel": "ERROR",
    "ConnectTimeout": "120",
    "IdentitiesOnly": "yes",
    "BatchMode": "yes",
}
TIMEOUT_S = 600


@dataclass(frozen=True)
class Shell:
    """Where a machine's SSH is, and the key that it should take."""

    address: str
    port: int
    key: Path
    timeout_s: float = TIMEOUT_S

    def attempt(self, command: str, *options: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command that may be refused, or fail, with a text as its input."""
        words = [part for name, value in OPTIONS.items() for part in ("-o", f"{name}={value}")]
        line = ["ssh", "-i", str(self.key), "-p", str(self.port), *options, *words, f"root@{self.address}", command]
        return subprocess.run(line, input=text, capture_output=True, text=True, timeout=self.timeout_s, check=False)

    def run(self, command: str) -> str:
        """Run a command that has to succeed."""
        done = self.attempt(command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout


def make_key(path: Path) -> Path:
    """An SSH key pair; its public half lies beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)], check=True)
    return path
