"""From any found state to any declared one: apply arrives, rests, and never touches what is not ours."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from provision.errors import CloudError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.conftest import Office

OPEN_TO_ALL = 'RULE=[PROTOCOL="ALL",RULE_TYPE="INBOUND"]'
NAMES = ("erode", "salem", "karur")


@st.composite
def communities(draw: st.DrawFn, example: dict[str, Any]) -> str:
    """Any community of one to three branches."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    branches = {name: draw(branch(NAMES.index(name) + 1)) for name in names}
    text = {**example, "branches": branches}
    text.pop("referrals")
    if len(names) > 1 and draw(st.booleans()):
        text["referrals"] = [{"from": names[0], "to": [names[1]]}]
    return yaml.safe_dump(text)


@st.composite
def branch(draw: st.DrawFn, number: int) -> dict[str, Any]:
    """Any branch on its own /24."""
    net = f"10.20.{number}"
    hosts = draw(st.lists(st.integers(20, 250), max_size=3, unique=True))
    network: dict[str, Any] = {
        "cidr": f"{net}.0/24",
        "vlan": 100 + number,
        "appliance": f"{net}.10",
    }
    if draw(st.booleans()):
        network["gateway"] = f"{net}.{draw(st.sampled_from([1, 254]))}"
    if draw(st.booleans()):
        network["addresses"] = [f"{net}.100-{net}.{draw(st.integers(100, 200))}"]
    return {
        "title": draw(st.sampled_from(["A", 'The "Hope" [x] = Hospital', "மருத்துவமனை"])),
        "ae_title": f"AE{number}",
        "network": network,
        "quota": {
            "cpu": draw(st.sampled_from([2, 4, 8.5])),
            "memory": draw(st.sampled_from(["4GiB", "16GiB"])),
            "disk": draw(st.sampled_from(["200GiB", "1TiB"])),
            "vms": draw(st.integers(1, 5)),
        },
        "staff": draw(st.dictionaries(st.sampled_from(["a.one", "b.two"]), st.sampled_from(["doctor", "admin"]))),
        "modalities": [{"ae_title": f"CT{host}", "host": f"{net}.{host}"} for host in hosts if host != 254],
    }


def first_of(office: Office, kind: str) -> int:
    return next((node.id for _, node in office.found().view.ours(kind)), -1)


def group_of(office: Office) -> int:
    return next((node.id for node in office.found().view.groups.values()), -1)


def end_a_vm(office: Office) -> None:
    office.until_running()
    number = next(iter(office.found().view.appliances.values())).id
    office.raw("vm.action", "terminate-hard", number)
    while number in office.found().pools.by_id["vm"]:
        time.sleep(0.02)


DRIFTS: dict[str, Callable[[Office], Any]] = {
    "quota": lambda o: o.raw("group.quota", group_of(o), 'VM=[VMS="7"]'),
    "marks of a group": lambda o: o.raw("group.update", group_of(o), 'GURNEY_KEY="x"', 1),
    "default VDC": lambda o: o.raw("vdc.addgroup", 0, group_of(o)),
    "a right": lambda o: o.raw("acl.addrule", f"{0x200000000 + group_of(o):x}", "8400000000", "7"),
    "a VDC": lambda o: o.raw("vdc.delete", next(iter(o.found().view.vdcs.values())).id),
    "rules": lambda o: o.raw(
        "secgroup.update", first_of(o, "security-group"), 'RULE=[PROTOCOL="ALL",RULE_TYPE="INBOUND"]', 1
    ),
    "a gateway": lambda o: o.raw("vn.update", first_of(o, "network"), 'GATEWAY="10.9.9.9"', 1),
    "a held address": lambda o: o.raw("vn.hold", first_of(o, "network"), 'LEASES=[IP="10.20.1.151"]'),
    "the network's mode": lambda o: o.raw("vn.chmod", first_of(o, "network"), 1, 1, 1, 1, 1, 1, 1, 1, 1),
    "a name": lambda o: o.raw("vn.rename", first_of(o, "network"), "renamed"),
    "a lock": lambda o: o.raw("image.unlock", first_of(o, "archive")),
    "a template": lambda o: o.raw("template.delete", first_of(o, "template"), False),
    "a template's disk": lambda o: o.raw("template.update", first_of(o, "template"), 'DISK=[IMAGE_ID="0"]', 1),
    "a VM's group": lambda o: o.raw("vm.chown", next(iter(o.found().view.appliances.values())).id, -1, 0),
    "a VM": end_a_vm,
}


def foreign(office: Office) -> list[bytes]:
    """Everything in the cloud that is not ours, byte for byte."""
    nodes = office.found().pools.nodes
    theirs = [node for pool in ("vn", "image", "group", "template") for node in nodes[pool] if "theirs" in node.name]
    return [ET.tostring(node.element) for node in theirs]


@given(data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
def test_apply_arrives_and_rests_and_touches_nothing_else(
    new_office: Callable[..., Office], example_text: str, data: st.DataObject
) -> None:
    office = new_office(uuid.uuid4().hex)
    example = yaml.safe_load(example_text)
    office.raw("group.allocate", "theirs")
    office.raw("vn.allocate", 'NAME="theirs"\nVN_MAD="bridge"\nBRIDGE="br0"', 0)
    office.raw("template.allocate", 'NAME="theirs"\nCPU="1"')
    before = foreign(office)
    try:
        for _ in range(3):
            text = data.draw(communities(example))
            office.apply(text, allow=frozenset(NAMES))
            assert office.plan(text).to_json() == []
            for name in data.draw(st.lists(st.sampled_from(sorted(DRIFTS)), max_size=3)):
                with suppress(CloudError):
                    DRIFTS[name](office)
        assert foreign(office) == before
    finally:
        office.embedded.stop()
