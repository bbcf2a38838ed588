"""Who may reach the appliance: the networks that the firewall's sets are filled with."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from appliance.boot.machine import run, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from appliance.boot.cards import Card
    from appliance.boot.machine import Machine

Network = IPv4Network | IPv6Network
#: Further networks, in a context: of modalities behind a router, and of admins.
FOR_BRANCH, FOR_ADMINS = "GURNEY_BRANCH_NETWORKS", "GURNEY_ADMIN_NETWORKS"


def open_firewall(machine: Machine, cards: Sequence[Card], variables: Mapping[str, str]) -> bool:
    """
    Let the branch's network in, and the admins' where they are named; True where something has changed.

    The branch's network is the one in which the first card stands. What is no network is told and left out.

    Raises
    ------
    Trouble
        The firewall does not take the rules.
    """
    own = [network for card in cards[:1] for network in card.networks]
    named = {name: networks(variables, name) for name in (FOR_BRANCH, FOR_ADMINS)}
    for name, (_, wrong) in named.items():
        for text in wrong:
            machine.trouble(f"{name} in the context: {text!r} is no network")
    branch, admins = [*own, *named[FOR_BRANCH][0]], named[FOR_ADMINS][0]
    if variables and not branch:
        machine.trouble(f"the first card has no address and {FOR_BRANCH} is not set: the branch is not let in")
    rules, taken = sets({"branch": branch, "admins": admins}), machine.run_folder() / "networks.nft"
    if taken.is_file() and taken.read_text() == rules:
        return False
    run("nft", "-f", "-", stdin=rules)
    return write(taken, rules)  # last: rules that the kernel refused are tried again


def networks(variables: Mapping[str, str], name: str) -> tuple[list[Network], list[str]]:
    """The networks that a variable lists, apart by blanks or commas, and what in it is none.

    A zone (`fe80::%eth0/64`, RFC 4007 11) is none for nft, which would then take none of the rules.
    """
    found: list[Network] = []
    wrong = []
    for text in variables.get(name, "").replace(",", " ").split():
        try:
            found.append(ip_network(text.replace("%", " "), strict=False))
        except ValueError:
            wrong.append(text)
    return found, wrong


def sets(wanted: Mapping[str, Iterable[Network]]) -> str:
    """The text for nft that fills the sets of `/etc/nftables.conf`, whatever they held."""
    lines = []
    for name, members in wanted.items():
        for version in (4, 6):
            texts = sorted(str(network) for network in members if network.version == version)
            lines.append(f"flush set inet gurney {name}{version}")
            if texts:
                lines.append(f"add element inet gurney {name}{version} {{ {', '.join(texts)} }}")
    return "\n".join(lines) + "\n"
