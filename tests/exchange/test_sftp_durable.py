"""What is put over SFTP is on the server's disk before it has its name: a real server's log, and a full disk."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from exchange.errors import StoreError
from exchange.sftp_session import FSYNC
from tests.exchange.sshd import Sshd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVER = "/usr/lib/openssh/sftp-server"
#: What the server logs at the level VERBOSE.
DONE = re.compile(r"(fsync|posix-rename|rename|close) (?:old )?\"")


class LoggedSshd(Sshd):
    """One whose SFTP server says what it does, and may have been forbidden something."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder)
        self.said = folder / "sftp.log"
        config = folder / "sshd_config"
        command = f"{SERVER} -e -l VERBOSE {' '.join(options)} 2>>{self.said}"
        config.write_text(config.read_text().replace("internal-sftp", command))

    def done(self) -> list[str]:
        """What was done to files, in order."""
        return DONE.findall(self.said.read_text())


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[LoggedSshd]:
    (tmp_path / "server").mkdir()
    server = LoggedSshd(tmp_path / "server")
    with server.running():
        yield server


def test_a_file_is_flushed_before_it_has_its_name_and_with_it(sshd: LoggedSshd, tmp_path: Path) -> None:
    store = sshd.store(tmp_path)
    store.put("community/directory/1.json", b"x" * 100_000)
    store.close()
    assert (tmp_path / "community/directory/1.json").read_bytes() == b"x" * 100_000
    assert sshd.done() == ["fsync", "rename", "fsync", "close"], sshd.said.read_text()


def test_a_server_that_cannot_flush_takes_files_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    server = LoggedSshd(tmp_path / "server", "-P", "fsync")
    with server.running():
        store = server.store(tmp_path)
        store.put("1.json", b"x")
        assert FSYNC not in store._client.extensions
        store.close()
    assert (tmp_path / "1.json").read_bytes() == b"x"
    assert server.done() == ["rename", "close"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_what_does_not_fit_is_an_error_and_leaves_nothing(sshd: LoggedSshd, tmp_path: Path) -> None:
    """paramiko drops the server's answers to pieces that it sends ahead: a full disk would go unheard."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a disk")
    try:
        store = sshd.store(small)
        with pytest.raises(StoreError, match="is its disk full"):
            store.put("parcel", bytes(2 << 20))
        store.put("little", b"x")
        store.close()
        assert [path.name for path in small.iterdir()] == ["little"]
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_what_a_server_offers_is_heard(sshd: LoggedSshd, tmp_path: Path) -> None:
    store = sshd.store(tmp_path)
    assert {FSYNC, "posix-rename@openssh.com"} <= store._client.extensions
    store.close()
