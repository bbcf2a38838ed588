"""Network cards of a context, and what networkd is told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from appliance.boot.cards import Card, cards
from appliance.boot.machine import Machine
from appliance.boot.network import UNITS, resolver, set_up_network, unit

if TYPE_CHECKING:
    from pathlib import Path

STATIC = {
    "ETH0_MAC": "02:00:0A:14:01:0A",
    "ETH0_IP": "10.20.1.10",
    "ETH0_MASK": "255.255.255.0",
    "ETH0_GATEWAY": "10.20.1.1",
    "ETH0_DNS": "10.20.1.3 9.9.9.9",
    "ETH0_SEARCH_DOMAIN": "erode.example",
    "ETH0_MTU": "1450",
    "ETH0_ROUTES": "10.9.0.0/16 via 10.20.1.2, 10.8.0.0/16 via 10.20.1.3",
}


def one(**variables: str) -> Card:
    return cards({"ETH0_MAC": "02:00:00:00:00:01", **{f"ETH0_{name}": value for name, value in variables.items()}})[0]


def test_static_card_with_everything() -> None:
    assert unit(cards(STATIC)[0]) == (
        "[Match]\nMACAddress=02:00:0a:14:01:0a\n\n"
        "[Link]\nMTUBytes=1450\n\n"
        "[Network]\nDHCP=no\nIPv6AcceptRA=no\nAddress=10.20.1.10/24\n\n"
        "[Route]\nGateway=10.20.1.1\nGatewayOnLink=yes\n\n"
        "[Route]\nGateway=10.20.1.2\nGatewayOnLink=yes\nDestination=10.9.0.0/16\n\n"
        "[Route]\nGateway=10.20.1.3\nGatewayOnLink=yes\nDestination=10.8.0.0/16\n"
    )


def test_ipv6_beside_ipv4() -> None:
    card = one(IP="10.0.0.5", IP6="2001:db8::5", IP6_ULA="fd00::5", IP6_PREFIX_LENGTH="56", IP6_GATEWAY="2001:db8::1")
    assert [str(address) for address in card.addresses] == ["10.0.0.5/24", "2001:db8::5/56", "fd00::5/56"]
    assert "Gateway=2001:db8::1" in unit(card)


@pytest.mark.parametrize(
    ("method", "method6", "dhcp", "advertised"),
    [
        ("dhcp", "static", "ipv4", "no"),
        ("dhcp", "", "yes", "yes"),
        ("dhcp", "dhcp", "yes", "yes"),
        ("DHCP", "auto", "ipv4", "yes"),
        ("", "dhcp", "ipv6", "yes"),
        ("disable", "dhcp", "ipv6", "yes"),
        ("skip", "dhcp", "ipv6", "yes"),
        ("", "auto", "no", "yes"),
        ("", "", "no", "no"),
        ("dhcp", "disable", "ipv4", "no"),
    ],
)
def test_methods(method: str, method6: str, dhcp: str, advertised: str) -> None:
    """IPv6 is as IPv4 where nothing is said of it."""
    lines = unit(one(METHOD=method, IP6_METHOD=method6)).splitlines()
    assert f"DHCP={dhcp}" in lines
    assert f"IPv6AcceptRA={advertised}" in lines


BOTH = {
    "IP": "10.0.0.5",
    "GATEWAY": "10.0.0.1",
    "IP6": "2001:db8::5",
    "IP6_GATEWAY": "2001:db8::1",
    "ROUTES": "10.9.0.0/16 via 10.0.0.2, 2001:db8:9::/48 via 2001:db8::2",
}
SET_4 = ["Address=10.0.0.5/24", "Gateway=10.0.0.1", "Gateway=10.0.0.2", "Destination=10.9.0.0/16"]
SET_6 = ["Address=2001:db8::5/64", "Gateway=2001:db8::1", "Gateway=2001:db8::2", "Destination=2001:db8:9::/48"]


@pytest.mark.parametrize(
    ("method", "method6", "expected"),
    [
        ("", "", SET_4 + SET_6),
        ("static", "disable", SET_4),
        ("static", "auto", SET_4),
        ("static", "skip", SET_4),
        ("dhcp", "static", SET_6),
        ("skip", "static", SET_6),
        ("disable", "static", SET_6),
        ("dhcp", "", []),
        ("dhcp", "dhcp", []),
        ("disable", "disable", []),
    ],
)
def test_addresses_and_routes_are_set_where_nobody_else_tells_them(
    method: str, method6: str, expected: list[str]
) -> None:
    """OpenNebula writes the leases of a network whatever its method is."""
    lines = unit(one(METHOD=method, IP6_METHOD=method6, **BOTH)).splitlines()
    set_up = [line for line in lines if line.startswith(("Address=", "Gateway=", "Destination="))]
    assert sorted(set_up) == sorted(expected)


@pytest.mark.parametrize(
    ("method", "networks"),
    [("static", ["10.0.0.0/24"]), ("dhcp", ["10.0.0.0/24"]), ("disable", []), ("skip", [])],
)
def test_network_is_known_from_the_lease_whoever_hands_it_out(method: str, networks: list[str]) -> None:
    card = one(METHOD=method, IP="10.0.0.5")
    assert [str(network) for network in card.networks] == networks


@pytest.mark.parametrize(
    ("method", "method6", "alone"),
    [("skip", "", True), ("skip", "disable", True), ("skip", "static", False), ("dhcp", "skip", False)],
)
def test_card_that_is_skipped_is_left_alone(tmp_path: Path, method: str, method6: str, alone: bool) -> None:
    """Not even DHCP is asked on it, as where no card is known at all."""
    machine = Machine(tmp_path)
    set_up_network(machine, (one(METHOD=method, IP6_METHOD=method6, **BOTH),), (), ())
    assert [path.name for path in machine.path(UNITS).iterdir()] == ([] if alone else ["10-gurney-0.network"])


@pytest.mark.parametrize("name", ["METHOD", "IP6_METHOD"])
def test_method_that_is_none_costs_no_address(name: str) -> None:
    card = one(**{**BOTH, name: "automatic"})
    assert card.wrong == (f"ETH0_{name}='automatic' in the context cannot be understood",)
    assert [str(address) for address in card.addresses] == ["10.0.0.5/24", "2001:db8::5/64"]


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"METRIC": "100"}, ["100", "100"]),
        ({"METRIC": "100", "IP6_METRIC": "200"}, ["100", "200"]),
        ({"IP6_METRIC": "200"}, ["200"]),
    ],
)
def test_metric_is_that_of_the_family(metrics: dict[str, str], expected: list[str]) -> None:
    gateways = {name: value for name, value in BOTH.items() if name != "ROUTES"}
    lines = unit(one(**gateways, **metrics)).splitlines()
    assert [line.removeprefix("Metric=") for line in lines if line.startswith("Metric=")] == expected


def test_disabled_ipv6_has_no_address_not_even_a_link_local_one() -> None:
    text = unit(
        one(IP6_METHOD="disable", IP6="2001:db8::5", IP6_ULA="fd00::5", ALIAS0_MAC="", ALIAS0_IP6="2001:db8::6")
    )
    assert "LinkLocalAddressing=no" in text
    assert "\nAddress=" not in text


@pytest.mark.parametrize("elsewhere", [{"EXTERNAL": "YES"}, {"EXTERNAL": "true"}, {"DETACH": "YES"}])
def test_alias_that_is_not_on_the_card_is_left_out(elsewhere: dict[str, str]) -> None:
    """A floating address that the network translates, or one that is being taken away."""
    alias = {"MAC": "02:00:00:00:00:02", "IP": "203.0.113.9", "IP6": "2001:db8:9::9", **elsewhere}
    card = one(IP="10.0.0.5", **{f"ALIAS0_{name}": value for name, value in alias.items()})
    assert [str(address) for address in card.addresses] == ["10.0.0.5/24"]
    assert [str(network) for network in card.networks] == ["10.0.0.0/24"]


def test_alias_of_a_card_that_asks_dhcp_is_set() -> None:
    alias = {"ALIAS0_MAC": "02:00:00:00:00:02", "ALIAS0_IP": "10.0.0.6", "ALIAS0_EXTERNAL": "NO"}
    assert [str(address) for address in one(METHOD="dhcp", IP="10.0.0.5", **alias).addresses] == ["10.0.0.6/24"]


def test_aliases_are_further_addresses() -> None:
    card = one(IP="10.0.0.5", ALIAS0_MAC="02:00:00:00:00:02", ALIAS0_IP="10.0.0.6", ALIAS0_MASK="255.255.0.0")
    assert [str(address) for address in card.addresses] == ["10.0.0.5/24", "10.0.0.6/16"]


def test_cards_go_by_number() -> None:
    several = {f"ETH{number}_MAC": f"02:00:00:00:00:{number:02}" for number in (10, 2, 0)}
    assert [card.number for card in cards(several)] == [0, 2, 10]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MTU", "12"),
        ("MTU", "1500; reboot"),
        pytest.param("MTU", "9" * 5000, id="MTU of 5000 digits"),
        ("METRIC", "-1"),
        ("IP6", "2001:db8::zz"),
        ("GATEWAY", "gw.example"),
        ("ROUTES", "10.0.0.0/8"),
        ("ROUTES", "10.0.0.0/8 via nowhere"),
        ("DNS", "10.0.0.1\nDHCP=yes"),
    ],
)
def test_what_opennebula_does_not_write_is_told_with_its_name_and_left_out(name: str, value: str) -> None:
    """A slip in one variable must not cost the address by which an admin could put it right."""
    card = one(**{"IP": "10.0.0.5", name: value})
    assert card.wrong == (f"ETH0_{name}={value!r} in the context cannot be understood",)
    assert [str(address) for address in card.addresses] == ["10.0.0.5/24"]
    assert value not in unit(card)


def test_card_of_a_number_that_is_none_costs_no_other() -> None:
    """Python reads numbers of 4300 digits at most."""
    (card,) = cards({"ETH0_MAC": "02:00:00:00:00:01", f"ETH{'9' * 5000}_MAC": "02:00:00:00:00:02"})
    assert card.mac == "02:00:00:00:00:01"


def test_card_without_a_mac_is_told_and_set_up_by_nothing() -> None:
    broken, whole = cards({"ETH0_MAC": "not a mac", "ETH0_IP": "10.0.0.5", "ETH1_MAC": "02:00:00:00:00:01"})
    assert (broken.mac, broken.addresses) == ("", ())
    assert broken.wrong == ("ETH0_MAC='not a mac' in the context cannot be understood",)
    assert whole.wrong == ()


def test_several_servers_and_addresses() -> None:
    assert [str(each) for each in one(DNS="10.0.0.1\n10.0.0.2, 10.0.0.3").dns] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def test_resolver_names_each_server_once() -> None:
    text = resolver(cards(STATIC), ["9.9.9.9", "1.1.1.1"], ["example"])
    assert text == "search erode.example example\nnameserver 10.20.1.3\nnameserver 9.9.9.9\nnameserver 1.1.1.1\n"
