"""Network cards of a context, and what networkd is told of them."""

from __future__ import annotations

import pytest

from appliance.boot.cards import Card, cards
from appliance.boot.network import resolver, unit

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
    ("method", "method6", "line"),
    [("dhcp", "", "DHCP=ipv4"), ("dhcp", "dhcp", "DHCP=yes"), ("", "dhcp", "DHCP=ipv6"), ("", "auto", "DHCP=no")],
)
def test_methods(method: str, method6: str, line: str) -> None:
    text = unit(one(METHOD=method, IP6_METHOD=method6))
    assert line in text
    assert ("IPv6AcceptRA=yes" in text) == bool(method6)


def test_disabled_ipv6_has_not_even_a_link_local_address() -> None:
    assert "LinkLocalAddressing=no" in unit(one(IP6_METHOD="disable"))


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
