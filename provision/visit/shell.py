"""A shell in an appliance, through paramiko: the only door to SSH here."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import paramiko

from provision.errors import ProvisionError
from provision.visit.host_keys import HostKey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provision.visit.host_keys import HostKeys

#: A machine without KVM on a busy host needs half a minute to answer.
CONNECT_S = 60
#: What paramiko says, in words for an admin.
WORDS = {"No existing session": "SSH did not answer in time"}


class NotVisited(ProvisionError):  # noqa: N818 - named for what it says
    """An appliance that cannot be reached over SSH, or does not let this admin in."""


@dataclass(frozen=True)
class Machine:
    """Where an appliance is reached, and by which key it is known.

    Attributes
    ----------
    name
        `community.branch`.
    identity
        File of the admin's private key; without one the agent and the usual files are tried.
    compared
        The fingerprint of its host key that a person has compared.
    """

    name: str
    address: str
    port: int
    host_keys: HostKeys
    identity: Path | None = None
    compared: str = ""
    user: str = "root"


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


class Shell:
    """An open connection to the machine of a name."""

    def __init__(self, client: paramiko.SSHClient, name: str = "") -> None:
        self._client = client
        self.name = name

    def run(self, command: str, given: bytes | None = None) -> Said:
        """Run a command to its end.

        Parameters
        ----------
        given
            What it reads; without it there is nothing to read.

        Raises
        ------
        paramiko.SSHException
            The connection ended before the command did; `shell_in` puts it in words.
        """
        with _channel(self._client) as channel, ThreadPoolExecutor(2) as readers:
            channel.exec_command(command if given is not None else f"exec </dev/null; {command}")
            err = readers.submit(channel.makefile_stderr("rb").read)
            out = readers.submit(channel.makefile("rb").read)
            _give(channel, given)
            words = _text(out.result()), _text(err.result())
            return Said(_code(channel), *words)

    def lines(self, command: str) -> Iterator[str]:
        """The lines that a command says, as they come; what it says on standard error is among them.

        Raises
        ------
        paramiko.SSHException
            The connection ended before the command did.
        """
        with _channel(self._client) as channel:
            channel.set_combine_stderr(True)
            channel.exec_command(f"exec </dev/null; {command}")
            channel.shutdown_write()
            for line in channel.makefile("rb"):
                yield _text(line).rstrip("\n")
            _code(channel)


def _give(channel: paramiko.Channel, given: bytes | None) -> None:
    """Let the command read; one that ends before it has read all says itself why."""
    with suppress(OSError):
        channel.sendall(given or b"")
    channel.shutdown_write()


def _code(channel: paramiko.Channel) -> int:
    code = channel.recv_exit_status()
    if code < 0:
        raise paramiko.SSHException("the connection ended before the command did")
    return code


def _channel(client: paramiko.SSHClient) -> paramiko.Channel:
    transport = client.get_transport()
    if transport is None:
        raise paramiko.SSHException("the connection has ended")
    return transport.open_session(timeout=CONNECT_S)


def _text(said: bytes) -> str:
    return said.decode("utf-8", "replace")


@contextmanager
def shell_in(machine: Machine) -> Iterator[Shell]:
    """
    A shell in an appliance, as root, by key.

    Raises
    ------
    StrangeHost
        It is not the machine that is known.
    NotVisited
        It does not answer, or does not accept the key.
    """
    given: dict[str, Any] = {"timeout": CONNECT_S, "banner_timeout": CONNECT_S, "auth_timeout": CONNECT_S}
    if machine.identity is not None:
        given |= {"key_filename": str(machine.identity), "look_for_keys": False, "allow_agent": False}
    logging.getLogger("paramiko").addHandler(logging.NullHandler())  # it would write tracebacks to the terminal
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(_Pinned(machine))
    try:
        client.connect(machine.address, machine.port, machine.user, **given)
        yield Shell(client, machine.name)
    except paramiko.AuthenticationException as error:
        raise NotVisited(f"{machine.name} does not accept your key: it lets in the SSH keys of its context") from error
    except (OSError, paramiko.SSHException, EOFError) as error:
        words = WORDS.get(str(error), str(error))
        raise NotVisited(f"{machine.name} at {machine.address}:{machine.port}: {words}") from error
    finally:
        client.close()


class _Pinned(paramiko.MissingHostKeyPolicy):
    """paramiko knows no host by itself: every key comes by here."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:  # noqa: ARG002
        """Compare.

        Raises
        ------
        StrangeHost
            It is not the one.
        """
        shown = HostKey(key.get_name(), key.get_base64())
        self._machine.host_keys.check(self._machine.name, shown, self._machine.compared)
