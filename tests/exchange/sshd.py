"""A real sshd of a test's own, and ports that stay free."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from exchange.sftp import SftpFolder
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def free_port() -> int:
    """A port below those that the system gives to whoever connects (ip(7), ip_local_port_range): it stays free."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def keygen(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


def wait_for(port: int) -> None:
    def listens() -> bool:
        with socket.socket() as caller:
            return caller.connect_ex(("127.0.0.1", port)) == 0

    until(listens, "a server that listens")


class Sshd:
    """A real sshd of the test's own, on loopback, that lets one key in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.host_key = keygen(folder / "host_key")
        self.identity = keygen(folder / "identity")
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text(self.known_host(self.host_key))
        shutil.copy(self.identity.with_suffix(".pub"), folder / "authorized_keys")
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.host_key}\nPidFile {folder}/pid\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
        )

    def known_host(self, key: Path) -> str:
        kind, text, *_ = key.with_suffix(".pub").read_text().split()
        return f"[127.0.0.1]:{self.port} {kind} {text}\n"

    def url(self, path: Path) -> str:
        user = os.environ.get("USER") or subprocess.check_output(["id", "-un"], text=True).strip()
        return f"sftp://{user}@127.0.0.1:{self.port}{path}"

    def store(self, path: Path) -> SftpFolder:
        return SftpFolder(self.url(path), self.known_hosts, self.identity)

    @contextmanager
    def running(self) -> Iterator[None]:
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # noqa: PTH103 - sshd's own fixed place
        command = ["/usr/sbin/sshd", "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
            try:
                wait_for(self.port)
                yield
            finally:
                process.terminate()


def fingerprint(key: Path) -> str:
    shown = subprocess.run(["ssh-keygen", "-l", "-f", str(key)], capture_output=True, text=True, check=True).stdout
    return shown.split()[1]
