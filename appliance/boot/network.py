"""Network cards into units of systemd-networkd, and the resolver's file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.boot.machine import run, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from appliance.boot.cards import Address, Card
    from appliance.boot.machine import Machine

UNITS = "/run/systemd/network"
#: Whether IPv4 and IPv6 ask DHCP, to networkd's DHCP=.
DHCP = {(True, True): "yes", (True, False): "ipv4", (False, True): "ipv6", (False, False): "no"}
#: Where nothing is known: every card that looks like one of Ethernet.
FALLBACK = "[Match]\nName=eth* en*\n\n[Network]\nDHCP=yes\n"
FALLBACK_NAME = "90-gurney-unknown.network"


def set_up_network(machine: Machine, cards: Sequence[Card], dns: Sequence[str], domains: Sequence[str]) -> bool:
    """Write the units and the resolver's file; True where something has changed."""
    known = [card for card in cards if card.mac]
    units = {f"10-gurney-{card.number}.network": unit(card) for card in known if not card.left_alone}
    changed = _write_units(machine, units if known else {FALLBACK_NAME: FALLBACK})
    text = resolver(cards, dns, domains)
    return write(machine.run_folder() / "resolv.conf", text) or changed


def reload_network() -> None:
    """
    Let a running networkd take over what was written: by a restart, since early in a boot it is not on the bus.

    Raises
    ------
    Trouble
        It does not start.
    """
    run("systemctl", "restart", "systemd-networkd.service")


def unit(card: Card) -> str:
    """What networkd is told of a card."""
    return "\n\n".join("\n".join(section) for section in _sections(card)) + "\n"


def resolver(cards: Iterable[Card], dns: Sequence[str], domains: Sequence[str]) -> str:
    """The file /etc/resolv.conf: the servers of all cards, then those of the context."""
    cards = tuple(cards)
    servers = dict.fromkeys([*(str(each) for card in cards for each in card.dns), *dns])
    searched = dict.fromkeys([*(domain for card in cards for domain in card.domains), *domains])
    lines = [f"nameserver {server}" for server in servers]
    return "\n".join(([f"search {' '.join(searched)}"] if searched else []) + lines) + "\n"


def _sections(card: Card) -> Iterator[list[str]]:
    yield ["[Match]", f"MACAddress={card.mac}"]
    if card.mtu:
        yield ["[Link]", f"MTUBytes={card.mtu}"]
    yield ["[Network]", *_network(card)]
    yield from (_route(card, gateway) for gateway in card.gateways)
    yield from (_route(card, route.gateway, f"Destination={route.network}") for route in card.routes)


def _network(card: Card) -> Iterator[str]:
    automatic = card.method6 == "auto"
    yield f"DHCP={DHCP[card.method == 'dhcp', card.method6 == 'dhcp']}"
    yield f"IPv6AcceptRA={'yes' if automatic or card.method6 == 'dhcp' else 'no'}"
    if card.method6 == "disable":
        yield "LinkLocalAddressing=no"
    yield from (f"Address={address}" for address in card.addresses)


def _route(card: Card, gateway: Address, *destination: str) -> list[str]:
    metric = card.metric6 if gateway.version == 6 else card.metric
    further = [f"Metric={metric}"] if metric else []
    return ["[Route]", f"Gateway={gateway}", "GatewayOnLink=yes", *destination, *further]


def _write_units(machine: Machine, units: dict[str, str]) -> bool:
    folder = machine.path(UNITS)
    folder.mkdir(parents=True, exist_ok=True)
    changed = [write(folder / name, text) for name, text in units.items()]
    gone = [path for path in folder.glob("*-gurney-*.network") if path.name not in units]
    for path in gone:
        path.unlink()
    return any(changed) or bool(gone)
