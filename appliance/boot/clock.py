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


def time_servers(variables: Mapping[str, str], cards: Sequence[Card]) -> list[str]:
    """Those that the context names; else the front end, where OneGate tells it, and the branch's router."""
    named = variables.get("NTP_SERVERS", variables.get("GURNEY_TIME_SERVERS", "")).replace(",", " ").split()
    front_end = urlsplit(variables.get("ONEGATE_ENDPOINT", "")).hostname
    routers = [str(gateway) for card in cards for gateway in card.gateways]
    return named or list(dict.fromkeys([*([front_end] if front_end else []), *routers]))


def set_time_servers(machine: Machine, servers: Sequence[str]) -> bool:
    """Tell timesyncd; False where it knows."""
    return write(machine.path(FILE), f"[Time]\nNTP={' '.join(servers)}\n")
