"""The host keys of a community's appliances, by branch: compared once by a person, and then held to."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import ProvisionError

if TYPE_CHECKING:
    from pathlib import Path


class StrangeHost(ProvisionError):
    """A machine whose host key is not the one that is known, or that nobody has compared yet."""


@dataclass(frozen=True)
class HostKey:
    """A public host key, as OpenSSH writes it: kind and base64."""

    kind: str
    text: str

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` and the VM's console show it."""
        digest = hashlib.sha256(base64.b64decode(self.text)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


class HostKeys:
    """A file in OpenSSH's known_hosts format, whose hosts are `community.branch`.

    So a branch's VM may change its address, and an address may pass to another branch, without a warning too few.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def of(self, name: str) -> HostKey | None:
        """The key that is known for `community.branch`."""
        if not self.path.is_file():
            return None
        lines = (line.split() for line in self.path.read_text().splitlines())
        return next((HostKey(words[1], words[2]) for words in lines if words[:1] == [name] and len(words) > 2), None)

    def check(self, name: str, shown: HostKey, compared: str = "") -> None:
        """
        Accept the key that a machine shows, or refuse it.

        Parameters
        ----------
        name
            `community.branch`.
        shown
            What the machine shows.
        compared
            The fingerprint that a person read from the VM's console; it replaces what was known.

        Raises
        ------
        StrangeHost
            It is another key than the known or the compared one, or there is neither.
        """
        known = self.of(name)
        if compared:
            if shown.fingerprint != compared:
                raise StrangeHost(f"{name} shows {shown.fingerprint}, not {compared}: this is another machine")
            if known != shown:
                self._keep(name, shown)
        elif known is None:
            raise StrangeHost(
                f"{name} shows {shown.fingerprint}, which nobody has compared yet: read the fingerprint from the VM's "
                f"console and give it with --host-key"
            )
        elif known != shown:
            raise StrangeHost(f"{name} shows {shown.fingerprint}, but is known by {known.fingerprint}")

    def _keep(self, name: str, key: HostKey) -> None:
        """Keep it; another process that keeps one at the same time waits (flock(2) excludes threads as well)."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(f".{self.path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._write(name, key)

    def _write(self, name: str, key: HostKey) -> None:
        lines = self.path.read_text().splitlines() if self.path.is_file() else []
        kept = [line for line in lines if line.split()[:1] != [name]]
        new = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        new.write_text("\n".join([*kept, f"{name} {key.kind} {key.text}"]) + "\n")
        new.replace(self.path)
