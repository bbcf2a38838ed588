"""The network cards, as a context describes them: the variables `ETH0_...`, `ETH1_...`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from ipaddress import IPv6Network

#: Of no more digits than a number here has: int() raises a ValueError beyond 4300 of them.
_CARD = re.compile(r"ETH([0-9]{1,5})_MAC")
_NUMBER = re.compile(r"[0-9]{1,10}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
MTU_RANGE = range(576, 65536)
METRIC_RANGE = range(2**32)
GATEWAYS = ("GATEWAY", "GATEWAY6", "IP6_GATEWAY")
DEFAULT_PREFIX_6 = 64
#: How a card gets addresses of a family, as OpenNebula's networks say it; with these two it gets none.
OFF = frozenset({"skip", "disable"})
METHODS = OFF | {"static", "dhcp"}
METHODS_6 = METHODS | {"auto"}
YES = frozenset({"1", "true", "yes", "y"})

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

    What it has of each family is as OpenNebula's own guest scripts have it: one-apps, `loc-10-network.d/functions`,
    `setup_iface_vars`, and `gen_network_configuration` beside it.

    Attributes
    ----------
    method, method6
        One of METHODS, and one of METHODS_6: as for IPv4, where nothing is said of IPv6.
    addresses, gateways, routes
        Those that are to be set: where DHCP or a router tells them, they are not.
    networks
        In which it stands, whoever tells it its addresses.
    metric6
        As for IPv4, where nothing is said of IPv6.
    wrong
        What of it cannot be understood, and is left out: the rest may be enough to be reached by.
    """

    number: int
    mac: str
    method: str = "static"
    method6: str = "static"
    addresses: tuple[Interface, ...] = ()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    gateways: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    dns: tuple[Address, ...] = ()
    domains: tuple[str, ...] = ()
    mtu: int = 0
    metric: int = 0
    metric6: int = 0
    wrong: tuple[str, ...] = ()

    @property
    def left_alone(self) -> bool:
        """Whether somebody else sets it up, as a START_SCRIPT."""
        return self.method == "skip" and self.method6 in OFF


def cards(variables: Mapping[str, str]) -> tuple[Card, ...]:
    """The cards of a context, in the order of their numbers; one whose MAC is none has nothing but its `wrong`."""
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
        own.note("MAC")
        return Card(number, "", wrong=tuple(own.wrong))
    method = own.method("METHOD", METHODS)
    methods = {4: method, 6: own.method("IP6_METHOD", METHODS_6, otherwise=method)}
    static = {version for version, each in methods.items() if each == "static"}
    leased, aliases = tuple(own.leased()), tuple(own.aliases())
    present = [each for each in (*leased, *aliases) if methods[each.version] not in OFF]
    metric = own.number("METRIC", METRIC_RANGE)
    card = Card(
        number=number,
        mac=mac,
        method=method,
        method6=methods[6],
        addresses=tuple(each for each in present if each.version in static or each in aliases),
        networks=tuple(each.network for each in present),
        gateways=tuple(each for each in own.each_address(*GATEWAYS) if each.version in static),
        routes=tuple(each for each in own.routes() if each.gateway.version in static),
        dns=tuple(own.each_address("DNS")),
        domains=tuple(own.text("SEARCH_DOMAIN").split()),
        mtu=own.number("MTU", MTU_RANGE),
        metric=metric,
        metric6=own.number("IP6_METRIC", METRIC_RANGE) or metric,
    )
    return replace(card, wrong=tuple(own.wrong))


class _Values:
    """The variables of one card, without their prefix; what cannot be understood is noted."""

    def __init__(self, values: Mapping[str, str], prefix: str) -> None:
        self._values = values
        self._prefix = prefix
        self.wrong: list[str] = []

    def text(self, name: str) -> str:
        return self._values.get(name, "")

    def number(self, name: str, allowed: range) -> int:
        text = self.text(name)
        if not text or (_NUMBER.fullmatch(text) and int(text) in allowed):
            return int(text or 0)
        self.note(name)
        return 0

    def method(self, name: str, allowed: Container[str], otherwise: str = "static") -> str:
        """How addresses come; what is no such word costs no address by which an admin could put it right."""
        word = self.text(name).lower() or otherwise
        if word in allowed:
            return word
        self.note(name)
        return "static"

    def leased(self) -> Iterator[Interface]:
        """The card's own addresses, each with its network."""
        yield from self._addresses_of("")

    def aliases(self) -> Iterator[Interface]:
        """Those of its aliases, but for what is being taken away, or is put elsewhere than on the card."""
        parts = [name.removesuffix("MAC") for name in sorted(self._values) if re.fullmatch(r"ALIAS\d+_MAC", name)]
        for part in parts:
            if not self.text(f"{part}DETACH") and self.text(f"{part}EXTERNAL").lower() not in YES:
                yield from self._addresses_of(part)

    def _addresses_of(self, part: str) -> Iterator[Interface]:
        if self.text(f"{part}IP"):
            yield from self._made(IPv4Interface, f"{part}IP", self._mask(part))
        for name in ("IP6", "IP6_GLOBAL", "IP6_ULA", "IPV6"):
            if self.text(part + name):
                length = self.text(f"{part}IP6_PREFIX_LENGTH") or str(DEFAULT_PREFIX_6)
                yield from self._made(IPv6Interface, part + name, length)

    def _mask(self, part: str) -> str:
        """The mask of the network; without one, the vendor's own scripts take a network of 256 as well."""
        return self.text(f"{part}MASK") or "255.255.255.0"

    def _made(self, kind: type[Interface], name: str, network: str) -> Iterator[Interface]:
        text = self.text(name)
        try:
            yield kind(text if "/" in text else f"{text}/{network}")
        except ValueError:
            self.note(name)

    def each_address(self, *names: str) -> Iterator[Address]:
        for name in names:
            for text in self.text(name).replace(",", " ").split():
                try:
                    yield ip_address(text)
                except ValueError:
                    self.note(name)

    def routes(self) -> Iterator[Route]:
        """`10.1.0.0/16 via 10.0.0.1, ...`."""
        for text in filter(None, (part.strip() for part in self.text("ROUTES").split(","))):
            network, _, gateway = text.partition(" via ")
            try:
                yield Route(ip_network(network.strip(), strict=False), ip_address(gateway.strip()))
            except ValueError:
                self.note("ROUTES")

    def note(self, name: str) -> None:
        self.wrong.append(f"{self._prefix}{name}={self.text(name)!r} in the context cannot be understood")
