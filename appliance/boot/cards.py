"""The network cards, as a context describes them: the variables `ETH0_...`, `ETH1_...`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, ip_address, ip_network
from typing import TYPE_CHECKING

from appliance.boot.machine import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from ipaddress import IPv6Network

_CARD = re.compile(r"ETH(\d+)_MAC")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_ROUTE = re.compile(r"(\S+)\s+via\s+(\S+)")
MTU_RANGE = range(576, 65536)
DEFAULT_PREFIX_6 = 64

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface


@dataclass(frozen=True)
class Route:
    """A network that lies behind a gateway."""

    network: IPv4Network | IPv6Network
    gateway: Address


@dataclass(frozen=True)
class Card:
    """One network card.

    Attributes
    ----------
    method, method6
        `static`, `dhcp`, `auto`, `disable` or `skip`, as OpenNebula's networks say it.
    """

    number: int
    mac: str
    method: str = "static"
    method6: str = "static"
    addresses: tuple[Interface, ...] = ()
    gateways: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    dns: tuple[Address, ...] = ()
    domains: tuple[str, ...] = ()
    mtu: int = 0
    metric: int = 0

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks that it stands in."""
        return tuple(address.network for address in self.addresses)


def cards(variables: Mapping[str, str]) -> tuple[Card, ...]:
    """
    The cards of a context, in the order of their numbers.

    Raises
    ------
    Trouble
        A variable is not what OpenNebula writes; its name and value are told.
    """
    numbers = sorted(int(found[1]) for name in variables if (found := _CARD.fullmatch(name)))
    return tuple(_card(number, variables) for number in numbers)


def _card(number: int, variables: Mapping[str, str]) -> Card:
    prefix = f"ETH{number}_"
    own = _Values(
        {name.removeprefix(prefix): value.strip() for name, value in variables.items() if name.startswith(prefix)},
        prefix,
    )
    mac = own.text("MAC").lower()
    if not _MAC.fullmatch(mac):
        raise Trouble(f"{prefix}MAC={mac!r} is not an address of a network card")
    return Card(
        number=number,
        mac=mac,
        method=own.text("METHOD") or "static",
        method6=own.text("IP6_METHOD") or "static",
        addresses=tuple(own.addresses()),
        gateways=tuple(own.each_address("GATEWAY", "GATEWAY6", "IP6_GATEWAY")),
        routes=tuple(own.routes()),
        dns=tuple(own.each_address("DNS")),
        domains=tuple(own.text("SEARCH_DOMAIN").split()),
        mtu=own.number("MTU", MTU_RANGE),
        metric=own.number("METRIC", range(2**32)),
    )


class _Values:
    """The variables of one card, without their prefix."""

    def __init__(self, values: Mapping[str, str], prefix: str) -> None:
        self._values = values
        self._prefix = prefix

    def text(self, name: str) -> str:
        return self._values.get(name, "")

    def number(self, name: str, allowed: range) -> int:
        text = self.text(name)
        if not text:
            return 0
        if not (text.isascii() and text.isdigit() and int(text) in allowed):
            raise self._wrong(name)
        return int(text)

    def addresses(self) -> Iterator[Interface]:
        """The card's own and those of its aliases, each with its network."""
        names = [""] + [
            name.removesuffix("MAC") for name in sorted(self._values) if re.fullmatch(r"ALIAS\d+_MAC", name)
        ]
        for part in names:
            yield from self._addresses_of(part)

    def _addresses_of(self, part: str) -> Iterator[Interface]:
        if self.text(f"{part}IP"):
            yield self._made(IPv4Interface, f"{part}IP", self._mask(part))
        for name in ("IP6", "IP6_GLOBAL", "IP6_ULA", "IPV6"):
            if self.text(part + name):
                length = self.text(f"{part}IP6_PREFIX_LENGTH") or str(DEFAULT_PREFIX_6)
                yield self._made(IPv6Interface, part + name, length)

    def _mask(self, part: str) -> str:
        """The mask of the network; without one, the vendor's own scripts take a network of 256 as well."""
        return self.text(f"{part}MASK") or "255.255.255.0"

    def _made(self, kind: type[Interface], name: str, network: str) -> Interface:
        text = self.text(name)
        try:
            return kind(text if "/" in text else f"{text}/{network}")
        except ValueError:
            raise self._wrong(name) from None

    def each_address(self, *names: str) -> Iterator[Address]:
        for name in names:
            for text in self.text(name).replace(",", " ").split():
                try:
                    yield ip_address(text)
                except ValueError:
                    raise self._wrong(name) from None

    def routes(self) -> Iterator[Route]:
        for text in filter(None, (each.strip() for each in self.text("ROUTES").split(","))):
            found = _ROUTE.fullmatch(text)
            if found is None:
                raise self._wrong("ROUTES")
            try:
                yield Route(ip_network(found[1], strict=False), ip_address(found[2]))
            except ValueError:
                raise self._wrong("ROUTES") from None

    def _wrong(self, name: str) -> Trouble:
        return Trouble(f"{self._prefix}{name}={self.text(name)!r} in the context cannot be understood")
