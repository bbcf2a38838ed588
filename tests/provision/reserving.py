"""A network of which a branch's addresses are reserved."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.provision.conftest import Office

OWN = "{cidr: 10.20.1.0/24, gateway: 10.20.1.1, vlan: 101, appliance: 10.20.1.10}"

RESERVED = (
    "{cidr: 10.20.1.0/24, gateway: 10.20.1.1, reserve_from: hospitals, appliance: 10.20.1.10, "
    "addresses: [10.20.1.40-10.20.1.60]}"
)


def hospitals(office: Office) -> int:
    text = 'NAME="hospitals"\nVN_MAD="802.1Q"\nPHYDEV="eth7"\nVLAN_ID="777"\nAR=[TYPE="IP4",IP="10.20.1.2",SIZE="200"]'
    return int(office.raw("vn.allocate", text, 0))
