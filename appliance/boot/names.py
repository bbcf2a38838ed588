"""The machine's name."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

from appliance.boot.machine import write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appliance.boot.machine import Machine

#: In this order, the variables that may name a machine.
VARIABLES = ("SET_HOSTNAME", "HOSTNAME", "GURNEY_BRANCH")
DEFAULT = "gurney"
LONGEST = 63  # RFC 1035 2.3.4: a label


def host_name(variables: Mapping[str, str]) -> str:
    """The name that a context gives, as the domain name system allows it."""
    wanted = next((variables[name] for name in VARIABLES if variables.get(name, "").strip()), DEFAULT)
    labels = (re.sub(r"[^a-z0-9-]+", "-", label).strip("-")[:LONGEST] for label in wanted.strip().lower().split("."))
    return ".".join(filter(None, labels)) or DEFAULT


def set_host_name(machine: Machine, name: str) -> bool:
    """Name the machine; False where it has the name already."""
    hosts = (
        f"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.1.1 {name} {name.partition('.')[0]}\n"
    )
    changed = write(machine.path("/etc/hostname"), f"{name}\n")
    changed |= write(machine.path("/etc/hosts"), hosts)
    if socket.gethostname() != name:
        socket.sethostname(name)
    return changed
