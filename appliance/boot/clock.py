"""The time: whom systemd-timesyncd asks."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from appliance.boot.machine import write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from appliance.boot.cards import Card
    from appliance.boot.machine import Machine

FILE = "/run/systemd/timesyncd.conf.d/gurney.conf"


#: Debian's own, which timesyncd asks by itself as long as nobody names others.
POOL = tuple(f"{number}.debian.pool.ntp.org" for number in range(4))


def named_servers(variables: Mapping[str, str]) -> list[str]:
    """The servers that the context names."""
    return variables.get("NTP_SERVERS", "").replace(",", " ").split()


def likely_servers(variables: Mapping[str, str], cards: Sequence[Card]) -> list[str]:
    """Who may tell the time where nobody is named: the front end, if OneGate tells it, the routers, and the pool.

    Neither front end nor router need have a clock for others, so the pool has to stay behind them.
    """
    routers = [str(gateway) for card in cards for gateway in card.gateways]
    return list(dict.fromkeys([*_front_end(variables), *routers, *POOL]))


def set_time_servers(machine: Machine, variables: Mapping[str, str], cards: Sequence[Card]) -> bool:
    """Tell timesyncd; False where it knows.

    `FallbackNTP=` is asked only where no other server is known, `NTP=` or one that DHCP names (timesyncd.conf(5)); so
    whom we merely suppose to have a clock keeps nobody out.
    """
    named = named_servers(variables)
    line = f"NTP={' '.join(named)}" if named else f"FallbackNTP={' '.join(likely_servers(variables, cards))}"
    return write(machine.path(FILE), f"[Time]\n{line}\n")


def _front_end(variables: Mapping[str, str]) -> list[str]:
    """The host of OneGate; none where its address is not understood, which costs itself alone."""
    try:
        host = urlsplit(variables.get("ONEGATE_ENDPOINT", "")).hostname
    except ValueError:
        return []
    return [host] if host else []
