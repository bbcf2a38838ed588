"""A host that is reached over SSH and whose key is known beforehand: nobody is trusted on first sight."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import paramiko

from exchange.errors import UnknownHost, Unreachable

TIMEOUT_S = 20.0


@dataclass(frozen=True)
class SshHost:
    """Where an SSH server is, and by which key it is known.

    Attributes
    ----------
    known_hosts
        Names the host key that it must show, in OpenSSH's format.
    identity
        File of the admin's private key; without one the agent and the usual files are tried.
    """

    name: str
    port: int
    user: str | None
    known_hosts: Path
    identity: Path | None = None

    @classmethod
    def of(cls, url: str, known_hosts: Path | None = None, identity: Path | None = None) -> SshHost:
        """The host of `sftp://user@host:port`; host keys are those of the user's own `known_hosts`."""
        where = urlsplit(url)
        known = known_hosts or Path("~/.ssh/known_hosts").expanduser()
        return cls(where.hostname or "", where.port or 22, where.username, known, identity)

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"

    def connected(self) -> paramiko.SSHClient:
        """An open connection, to be closed by the caller.

        Raises
        ------
        UnknownHost
            It shows no key, or another one than `known_hosts` names.
        Unreachable
            It does not answer, or does not accept the admin's key.
        """
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(_Pinned())
        try:
            self._connect(client)
        except BaseException:
            client.close()
            raise
        return client

    def _connect(self, client: paramiko.SSHClient) -> None:
        try:
            if self.known_hosts.exists():
                client.load_host_keys(str(self.known_hosts))
            self._log_in(client)
        except paramiko.BadHostKeyException as error:
            shown = error.key.fingerprint
            raise UnknownHost(f"{self.name} shows another key than the one in {self.known_hosts}: {shown}") from error
        except paramiko.AuthenticationException as error:
            raise Unreachable(f"{self} does not accept the key of {self.user or 'this user'}: {error}") from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            words = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unreachable(f"{self} cannot be reached over SSH: {words}") from error

    def _log_in(self, client: paramiko.SSHClient) -> None:
        client.connect(
            self.name,
            self.port,
            self.user,
            key_filename=str(self.identity) if self.identity else None,
            allow_agent=self.identity is None,
            look_for_keys=self.identity is None,
            timeout=TIMEOUT_S,
            banner_timeout=TIMEOUT_S,
            auth_timeout=TIMEOUT_S,
        )
        _send_at_once(client)


def _send_at_once(client: paramiko.SSHClient) -> None:
    """Nagle's algorithm (RFC 896) held each write of 32 KiB up for 30 ms: 0.9 MB/s on loopback, and 24 without it."""
    transport = client.get_transport()
    if transport is not None and isinstance(transport.sock, socket.socket):
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Pinned(paramiko.MissingHostKeyPolicy):
    """No host is trusted on first sight."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> NoReturn:  # noqa: ARG002
        """Refuse."""
        raise UnknownHost(
            f"the host key of {hostname} is not known: compare {key.get_name()} {key.fingerprint} with what its "
            "operator says, then add it to known_hosts"
        )
