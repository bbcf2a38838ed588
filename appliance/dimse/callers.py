"""Who may store: the modalities that the branch's settings name, from the machines that they name."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Addresses that are remembered: more than a hospital has modalities, which may get another with each lease.
MOST_SEEN = 1024

#: Where a client on this machine comes from, whichever loopback address it asks: the upgrade, which asks for an echo
#: before it believes in a new version.
OWN = ("127.0.0.1", "::1")


class NamedModality(Protocol):
    """What the settings say of a modality."""

    @property
    def ae_title(self) -> str:
        """Its AE title."""

    @property
    def host(self) -> str:
        """Its address or name."""


@dataclass(frozen=True)
class Caller:
    """Who is on the line: the AE title that it claims, and the address that it cannot choose."""

    ae_title: str
    address: str


class KnownAddresses:
    """
    The addresses that a modality is known to be at, told without a wait.

    These are the addresses that the settings name, and this machine's own. A host that they give by name is looked up
    for its association, and known from the first one on.
    """

    def __init__(self, modalities: Callable[[], Iterable[NamedModality]]) -> None:
        self._modalities = modalities
        self._seen: set[str] = set()

    def __contains__(self, address: str) -> bool:
        """Whether a connection from there is likely to be a modality's, or is this machine's own."""
        if address in OWN or address in self._seen:
            return True
        return any(_is(modality.host, address) for modality in self._modalities())

    def add(self, address: str) -> None:
        """A modality has come from there."""
        if len(self._seen) >= MOST_SEEN:
            self._seen.clear()
        self._seen.add(address)


def may_store(caller: Caller, modalities: Iterable[NamedModality]) -> bool:
    """
    Whether the settings name the caller: by its AE title, and by its address unless it is this machine itself.

    A host that the settings give by name is looked up now; one that cannot be found is not the caller's.
    """
    hosts = [modality.host for modality in modalities if modality.ae_title == caller.ae_title]
    peer = _address(caller.address)
    return bool(hosts) and (peer.is_loopback or any(peer in _addresses_of(host) for host in hosts))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _is(host: str, address: str) -> bool:
    """Whether a host is given by its address, and by this one."""
    try:
        return _address(host) == _address(address)
    except ValueError:
        return False


def _addresses_of(host: str) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return set()
    return {_address(str(place[0])) for *_, place in found}
