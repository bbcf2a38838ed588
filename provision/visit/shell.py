"""A shell in an appliance, through paramiko: the only door to SSH here."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import paramiko

from provision.errors import ProvisionError
from provision.visit.connections import Connections
from provision.visit.host_keys import HostKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provision.visit.host_keys import HostKeys

#: A machine without KVM on a busy host needs half a minute to answer.
CONNECT_S = 60
#: How often an idle connection is tried: TCP then finds out that the other side has gone.
KEEPALIVE_S = 15
#: How long a command may say nothing; one that is followed line by line installs and compiles in between.
SILENT_S, SILENT_LINES_S = 900.0, 3600.0
#: More than any command here has to say: what comes is kept in memory.
MOST = 64 * 1024 * 1024
PIECE = 32 * 1024
#: What paramiko says, in words for an admin.
WORDS = {"No existing session": "SSH did not answer in time"}
#: What a line says that breaks; `shell_in` says it in words.
BROKEN = (OSError, paramiko.SSHException, EOFError)
LOCKED = "give it to your agent with `ssh-add`"


class NotVisited(ProvisionError):
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
    address
        Empty where the branch has no machine, or one that nobody can reach.
    first_name
        The same as `name`, with the name with which the branch was made: by that its host key is kept, which lies on
        the archive and stays. Empty where it is called so still.
    """

    name: str
    address: str
    port: int
    host_keys: HostKeys
    identity: Path | None = None
    compared: str = ""
    user: str = "root"
    first_name: str = ""

    @property
    def host(self) -> str:
        """By which name its host key is known."""
        return self.first_name or self.name

    def there(self) -> Machine:
        """Itself.

        Raises
        ------
        NotVisited
            It has no address.
        """
        if not self.address:
            raise NotVisited(f"{self.name} has no VM, or one without an address: `gurney apply` makes it")
        return self


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
        # In this order: whatever ends it closes the channel first, and the readers, who are waited for, hear of it.
        with ThreadPoolExecutor(2) as readers, _channel(self._client, SILENT_S) as channel:
            channel.exec_command(command if given is not None else f"exec </dev/null; {command}")
            hearing = _Hearing(channel, SILENT_S)
            err = readers.submit(hearing.all_of, channel.recv_stderr)
            out = readers.submit(hearing.all_of, channel.recv)
            _give(channel, given)
            words = _text(out.result()), _text(err.result())
            return Said(_code(channel, SILENT_S), *words)

    def lines(self, command: str) -> Iterator[str]:
        """The lines that a command says, as they come; what it says on standard error is among them.

        Raises
        ------
        paramiko.SSHException
            The connection ended before the command did.
        """
        with _channel(self._client, SILENT_LINES_S) as channel:
            channel.set_combine_stderr(True)
            channel.exec_command(f"exec </dev/null; {command}")
            channel.shutdown_write()
            hearing = _Hearing(channel, SILENT_LINES_S)
            said = channel.makefile("rb")
            while line := hearing.next_of(lambda: said.readline(MOST)):
                yield _text(line).rstrip("\n")
            _code(channel, SILENT_LINES_S)


class _Hearing:
    """What a command says on its two streams: so much at most, and never silent on both for too long."""

    def __init__(self, channel: paramiko.Channel, silent_s: float) -> None:
        self._channel, self._silent_s = channel, silent_s
        self._last, self._size = time.monotonic(), 0

    def all_of(self, receive: Callable[[int], bytes]) -> bytes:
        """A stream to its end; what ends it before closes the channel, and with it the other stream."""
        pieces = []
        while piece := self.next_of(lambda: receive(PIECE)):
            pieces.append(piece)
        return b"".join(pieces)

    def next_of(self, receive: Callable[[], bytes]) -> bytes:
        """The next piece; none at the end."""
        try:
            return self._count(self._wait(receive))
        except BaseException:
            self._channel.close()
            raise

    def _count(self, piece: bytes) -> bytes:
        self._last, self._size = time.monotonic(), self._size + len(piece)
        if self._size > MOST:
            raise paramiko.SSHException(f"a command said more than {MOST} bytes, and was ended")
        return piece

    def _wait(self, receive: Callable[[], bytes]) -> bytes:
        while True:
            try:
                return receive()
            except TimeoutError:
                if time.monotonic() - self._last >= self._silent_s:
                    raise _silent(self._silent_s) from None


def _silent(silent_s: float) -> paramiko.SSHException:
    return paramiko.SSHException(f"a command said nothing for {silent_s:g} s, and was ended")


def _give(channel: paramiko.Channel, given: bytes | None) -> None:
    """Let the command read; one that ends before it has read all says itself why."""
    with suppress(OSError):
        channel.sendall(given or b"")
    channel.shutdown_write()


def _code(channel: paramiko.Channel, silent_s: float) -> int:
    if not channel.status_event.wait(silent_s):
        raise _silent(silent_s)
    code = channel.recv_exit_status()
    if code < 0:
        raise paramiko.SSHException("the connection ended before the command did")
    return code


def _channel(client: paramiko.SSHClient, silent_s: float) -> paramiko.Channel:
    transport = client.get_transport()
    if transport is None:
        raise paramiko.SSHException("the connection has ended")
    channel = transport.open_session(timeout=CONNECT_S)
    channel.settimeout(silent_s)
    return channel


def _text(said: bytes) -> str:
    return said.decode("utf-8", "replace")


@contextmanager
def shell_in(machine: Machine, connections: Connections | None = None) -> Iterator[Shell]:
    """
    A shell in an appliance, as root, by key.

    Parameters
    ----------
    connections
        Of which its connection is one; without them it stands alone.

    Raises
    ------
    StrangeHost
        It is not the machine that is known.
    NotVisited
        There is none, it does not answer, or it does not accept the key.
    """
    machine.there()
    logging.getLogger("paramiko").addHandler(logging.NullHandler())  # it would write tracebacks to the terminal
    key, client = _key_of(machine), paramiko.SSHClient()
    client.set_missing_host_key_policy(_Pinned(machine))
    try:
        with (connections or Connections()).to(machine.address, machine.port, CONNECT_S) as line, closing(client):
            _log_in(client, machine, sock=line, **key)
            yield Shell(client, machine.name)
    except paramiko.PasswordRequiredException as error:
        raise NotVisited(f"{machine.name}: your private key has a passphrase: {LOCKED}") from error
    except paramiko.AuthenticationException as error:
        raise NotVisited(f"{machine.name} does not accept your key: it lets in the SSH keys of its context") from error
    except BROKEN as error:
        said = getattr(error, "strerror", None) or str(error)
        words = WORDS.get(said, said)
        raise NotVisited(f"{machine.name} at {machine.address}:{machine.port}: {words}") from error


def _key_of(machine: Machine) -> dict[str, Any]:
    """The admin's key, for paramiko; none where it is to look for one itself."""
    if machine.identity is None:
        return {}
    try:
        key = paramiko.PKey.from_path(machine.identity)
    except TypeError as error:  # what cryptography says of a key that is encrypted
        raise NotVisited(f"{machine.identity} has a passphrase: {LOCKED}, and leave out -i") from error
    except OSError as error:
        raise NotVisited(f"{machine.identity}: {error.strerror or error}") from error
    except Exception as error:  # three libraries, each with errors of its own for each of the formats
        raise NotVisited(f"{machine.identity} holds no private key that can be used here") from error
    return {"pkey": key, "look_for_keys": False, "allow_agent": False}


def _log_in(client: paramiko.SSHClient, machine: Machine, **given: Any) -> None:
    given |= dict.fromkeys(("timeout", "banner_timeout", "auth_timeout"), CONNECT_S)
    try:
        client.connect(machine.address, machine.port, machine.user, **given)
    except ValueError as error:
        raise NotVisited(f"{machine.name}: a private key in ~/.ssh cannot be read: {error}") from error
    if (transport := client.get_transport()) is not None:
        transport.set_keepalive(KEEPALIVE_S)


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
        self._machine.host_keys.check(self._machine.host, shown, self._machine.compared)
