"""Ctrl-C ends visits at once, whatever the other side is at: a command, reading, saying nothing, or not even there."""

from __future__ import annotations

import getpass
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.exchange.sshd import Sshd, fingerprint
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Shorter than any of these would go on by itself, and longer than any machine is busy.
SOON_S = 40
VISITOR = """
import signal, sys
from pathlib import Path
from provision.visit.host_keys import HostKeys
from provision.visit.rounds import visit_all
from provision.visit.shell import Machine, shell_in

signal.signal(signal.SIGINT, signal.default_int_handler)
port, identity, compared, user, folder, what = sys.argv[1:]
keys = HostKeys(Path(folder, "hosts"))
machine = Machine("kongu.erode", "127.0.0.1", int(port), keys, Path(identity), compared, user)
begun = f"touch {folder}/begun; "
works = begun + "while sleep 0.2; do echo; done"
reads = begun + "while sleep 0.2 && echo; do head -c 1000 >/dev/null; done"
if what == "all":
    visit_all([machine] * 20, lambda shell: shell.run(works))
with shell_in(machine) as shell:
    shell.run(works) if what == "run" else shell.run(reads, bytes(1 << 26))
"""


@contextmanager
def visitor(sshd: Sshd, port: int, folder: Path, what: str) -> Iterator[subprocess.Popen[bytes]]:
    words = (str(port), str(sshd.identity), fingerprint(sshd.host_key), getpass.getuser(), str(folder), what)
    with subprocess.Popen([sys.executable, "-c", VISITOR, *words], stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def end_of(process: subprocess.Popen[bytes]) -> int:
    """Press Ctrl-C once; the exit code."""
    process.send_signal(signal.SIGINT)
    return process.wait(SOON_S)


@pytest.mark.parametrize("what", ["run", "run with input", "all"])
def test_command_that_goes_on_is_left(sshd: Sshd, tmp_path: Path, what: str) -> None:
    with visitor(sshd, sshd.port, tmp_path, what) as process:
        until((tmp_path / "begun").exists)
        assert end_of(process) == -signal.SIGINT


def test_machine_that_says_nothing_is_left(sshd: Sshd, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        with visitor(sshd, mute.getsockname()[1], tmp_path, "all") as process:
            connection, _ = mute.accept()
            assert end_of(process) == -signal.SIGINT
        connection.close()


def test_machine_that_is_not_there_is_left(sshd: Sshd, tmp_path: Path) -> None:
    """Its packets are dropped, as by a firewall: here, by a server whose queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.create_connection(full.getsockname()):
        port = full.getsockname()[1]
        with visitor(sshd, port, tmp_path, "all") as process:
            until(lambda: is_calling(port))
            assert end_of(process) == -signal.SIGINT


def is_calling(port: int) -> bool:
    """Whether somebody's first packet to a port of loopback is not answered yet (proc(5): TCP_SYN_SENT is 02)."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines())
    return any(row[2:4] == [f"0100007F:{port:04X}", "02"] for row in rows)
