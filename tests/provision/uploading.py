"""The front end as an upload reaches it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exchange.ssh_host import SshHost

if TYPE_CHECKING:
    from tests.exchange.sshd import Sshd

MIB = 1 << 20


def address(sshd: Sshd, port: int | None = None) -> SshHost:
    found = SshHost.of(sshd.url(sshd.folder).rpartition("/")[0], sshd.known_hosts, sshd.identity)
    return replace(found, port=sshd.port if port is None else port)
