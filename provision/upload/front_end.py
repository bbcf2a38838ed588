"""The front end over SSH, through paramiko: files written there, and the few commands that look at them."""

from __future__ import annotations

import shlex
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import paramiko

from exchange.errors import Unreachable
from exchange.ssh_host import TIMEOUT_S
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exchange.ssh_host import SshHost

#: How long the front end may take for the checksum of an image.
CHECKSUM_S = 1800.0
#: How long it is waited for without a look at whether to go on.
LOOK_S = 0.5
#: Bytes on the way before an answer is waited for: a connection of 20 ms and 1 Gbit/s holds 2.5 MB.
CHUNK = 1 << 18


class NotUploaded(ProvisionError):
    """A file that could not be carried to the front end; what came there stays, and the next try goes on from it."""


class FrontEnd:
    """An open connection; `go_on` is called while the front end is waited for, and ends that by what it raises."""

    def __init__(self, client: paramiko.SSHClient, go_on: Callable[[], None]) -> None:
        self._client = client
        self._go_on = go_on
        self._files = client.open_sftp()
        channel = self._files.get_channel()
        if channel is not None:
            channel.settimeout(TIMEOUT_S)

    def size(self, path: str) -> int | None:
        """The size of a file; None where there is none."""
        try:
            return self._files.stat(path).st_size
        except FileNotFoundError:
            return None

    def sha256(self, path: str, count: int) -> str:
        """The checksum of a file's first bytes, as the front end itself reads them."""
        said = self._run(f"head -c {count} {shlex.quote(path)} | sha256sum", CHECKSUM_S)
        return said.split()[0] if said else ""

    def free(self, folder: str) -> int:
        """How many bytes fit into a folder's file system."""
        blocks, size = self._run(f"stat -f -c '%a %S' {shlex.quote(folder)}", TIMEOUT_S).split()
        return int(blocks) * int(size)

    def append(self, path: str, at: int, pieces: Iterator[bytes]) -> Iterator[int]:
        """Write pieces from a place in the file on; after each, how much has been sent."""
        with self._files.open(path, "r+b" if at else "wb") as file:
            file.set_pipelined(True)
            file.seek(at)
            for piece in pieces:
                file.write(piece)
                at += len(piece)
                yield at

    def put_in_place(self, part: str, path: str) -> None:
        """Give a whole file its name, in one step; everybody may read it, as oned has to."""
        self._files.chmod(part, 0o644)
        self._files.posix_rename(part, path)

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._files.remove(path)

    def _run(self, command: str, timeout_s: float) -> str:
        _, out, err = self._client.exec_command(command, timeout=timeout_s)
        end = time.monotonic() + timeout_s
        while not out.channel.status_event.wait(LOOK_S):
            self._go_on()
            if time.monotonic() > end:
                raise NotUploaded(f"the front end has not done `{command}` within {timeout_s:.0f} s")
        said = out.read().decode("utf-8", "replace")
        if out.channel.recv_exit_status() != 0:
            raise NotUploaded(f"the front end cannot `{command}`: {err.read().decode('utf-8', 'replace').strip()}")
        return said


@contextmanager
def connected(host: SshHost, go_on: Callable[[], None] = lambda: None) -> Iterator[FrontEnd]:
    """A connection to a front end whose host key is known.

    Parameters
    ----------
    go_on
        Called now and then while the front end is waited for; what it raises ends that.

    Raises
    ------
    NotUploaded
        It is not the machine that is known, it does not answer, or does not accept the key.
    """
    try:
        client = host.connected()
    except Unreachable as error:
        raise NotUploaded(str(error)) from error
    try:
        yield FrontEnd(client, go_on)
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise NotUploaded(f"the connection to {host} failed: {error or type(error).__name__}") from error
    finally:
        client.close()
