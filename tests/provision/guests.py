"""Guests of the embedded cloud that can be visited: a real sshd at each one's address, beside its real appliance."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from provision.vm_state import address_of
from tests.exchange.sshd import free_port, keygen
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.provision.conftest import Office


class Guests:
    """The appliances of an office, each with an sshd that lets one key in and has `gurney` as a VM has it."""

    def __init__(self, office: Office, folder: Path) -> None:
        self.office, self.folder, self.port = office, folder, free_port()
        folder.mkdir()
        self.identity = keygen(folder / "identity")

    @contextmanager
    def serving(self, *branches: str) -> Iterator[Guests]:
        """While the block runs, these branches' machines answer over SSH."""
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # noqa: PTH103 - sshd's own fixed place
        with ExitStack() as stack:
            for branch in branches:
                stack.enter_context(self._sshd(branch))
            yield self

    def fingerprint(self, branch: str) -> str:
        """Of the branch's SSH host key, as its console would show it."""
        command = ["ssh-keygen", "-l", "-f", str(self.folder / branch / "host_key")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[1]

    def vm(self, branch: str) -> Path:
        """The folder of a branch's guest."""
        return self.office.folder / "state" / "vms" / str(self.office.found().view.appliances[branch].id)

    def options(self, *branches: str) -> list[str]:
        """What `gurney branch enrol` is told about SSH."""
        told = [part for name in branches for part in ("--host-key", f"{name}={self.fingerprint(name)}")]
        return ["--port", str(self.port), "--identity", str(self.identity), *told]

    @contextmanager
    def _sshd(self, branch: str) -> Iterator[None]:
        folder = self.folder / branch
        folder.mkdir()
        keygen(folder / "host_key")
        self._write_program(folder / "bin", branch)
        address = address_of(self.office.found().view.appliances[branch])
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress {address}\nHostKey {folder}/host_key\nPidFile {folder}/pid\n"
            f"AuthorizedKeysFile {self.identity}.pub\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            f"KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
            f"SetEnv PATH={folder}/bin:{os.environ['PATH']}\n"
        )
        command = ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "sshd_config")]
        with (folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
            try:
                until(lambda: process.poll() is not None or _listens(address, self.port), f"the sshd of {branch}")
                yield
            finally:
                process.terminate()

    def _write_program(self, folder: Path, branch: str) -> None:
        """`/usr/local/bin/gurney` of the guest, whose places are those of the process that stands for it."""
        vm, exchange = self.vm(branch), self.office.exchange
        places = f"--context {vm}/context --archive {vm}/disk.1"
        mounts = f"--mount exchange={exchange} --mount outbox={exchange}/out/{branch}"
        folder.mkdir()
        program = folder / "gurney"
        program.write_text(
            f'#!/bin/sh\ncd {os.getcwd()}\nexec {sys.executable} -m cli "$@" {places} {mounts}\n'  # noqa: PTH109
        )
        program.chmod(0o755)


def _listens(address: str, port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex((address, port)) == 0
