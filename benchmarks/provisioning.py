"""Planning and applying against the embedded cloud with a delay a call: calls counted, times taken.

Run as `python benchmarks/provisioning.py [BRANCHES...]`; prints JSON. The targets: `plan` of an unchanged community
takes at most 20 calls however many branches there are; `apply` makes the fewest calls that its kinds need, beside
polling and reading by pool.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.cloud import Cloud as EmbeddedCloud
from emulator.settings import Settings
from exchange.stores import open_store
from provision.apply import apply
from provision.desk import Desk
from provision.found import found
from provision.identity import own_identity
from provision.opennebula import Cloud
from provision.plan import Plan, plan
from provision.reading import load

if TYPE_CHECKING:
    from collections import Counter

    from provision.community import Community

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "community.yaml"
DELAY_MS = 2

#: The fewest changing calls that one of each kind needs (oned/README and facts: smallest sequences).
FEWEST = {
    "keys": 1,  # document.allocate
    "exchange": 1,  # datastore.allocate
    "appliance-image": 1,  # image.allocate
    "exchange-image": 1,
    "group": 3,  # allocate, update, quota
    "vdc": 5,  # allocate, addgroup, delgroup from VDC 0, adddatastore twice; addhost for each host comes on top
    "rights": 1,  # acl.addrule
    "security-group": 3,  # allocate, chown, chmod
    "network": 4,  # allocate, update (takes the default security group away), chown, chmod
    "outbox-folder": 0,
    "archive": 3,  # allocate, chown, lock
    "outbox": 2,  # allocate, chown
    "template": 1,  # allocate
    "appliance": 2,  # instantiate, chown
}
#: Held and let go of around every apply: document.allocate, lock, unlock, delete.
HOLDING = 4


def community_of(branches: int) -> Community:
    """The example with so many branches, each on a network of its own."""
    example = load(EXAMPLE)
    one = example.branches["karur"]
    every = {}
    for number in range(branches):
        net = f"10.{number // 256 + 30}.{number % 256}"
        text = {"cidr": f"{net}.0/24", "gateway": f"{net}.1", "appliance": f"{net}.10", "vlan": 100 + number}
        network = replace(one.network, **text)
        scanners = tuple(replace(scanner, host=f"{net}.50") for scanner in one.modalities)
        every[f"b{number}"] = replace(one, ae_title=f"B{number}", network=network, modalities=scanners)
    return replace(example, branches=every, referrals=())


def changing(calls: Counter[str]) -> int:
    """How many calls change something."""
    return sum(count for name, count in calls.items() if "info" not in name and not name.startswith("system."))


def fewest(the_plan: Plan) -> int:
    """The fewest changing calls in which a plan of creations can be carried out."""
    hosts = sum(len(step.declared.spec.hosts) for step in the_plan if step.kind == "vdc" and step.declared)
    return sum(FEWEST[step.kind] for step in the_plan) + hosts + HOLDING


def measured(branches: int) -> dict[str, Any]:
    """Apply a community of so many branches, then plan it again."""
    with tempfile.TemporaryDirectory() as name:
        state = Path(name) / "state"
        for place in ("srv/exchange", "var/tmp"):
            (state / "host" / place).mkdir(parents=True)
        (state / "host/var/tmp/gurney-appliance.qcow2").write_bytes(bytes(1024))
        with EmbeddedCloud(Settings(state=state, driver="none", delay_ms=DELAY_MS)) as embedded:
            store = open_store(str(state / "host/srv/exchange"))
            identity = own_identity(Path(name) / "identity.txt")
            desk = Desk(Cloud(embedded.endpoint, embedded.session), store, identity)
            return {**_applied(desk, community_of(branches)), **_planned(desk, community_of(branches))}


def _applied(desk: Desk, community: Community) -> dict[str, Any]:
    the_plan = plan(community, found(desk, community.community))
    desk.cloud.calls.clear()
    began = time.perf_counter()
    apply(desk, the_plan)
    spent = time.perf_counter() - began
    calls = desk.cloud.calls
    return {
        "branches": len(community.branches),
        "apply_s": round(spent, 2),
        "apply_changing_calls": changing(calls),
        "apply_fewest_calls": fewest(the_plan),
        "apply_reading_calls": calls.total() - changing(calls),
        "calls_x_delay_over_connections_s": round(calls.total() * DELAY_MS / 1000 / desk.cloud.connections, 2),
    }


def _planned(desk: Desk, community: Community) -> dict[str, Any]:
    desk.cloud.calls.clear()
    began = time.process_time()
    the_plan = plan(community, found(desk, community.community))
    return {
        "plan_cpu_s": round(time.process_time() - began, 2),  # the embedded cloud's own work is in it as well
        "plan_calls": desk.cloud.calls.total(),
        "plan_steps": len(the_plan),
    }


if __name__ == "__main__":
    print(json.dumps([measured(int(number)) for number in sys.argv[1:] or ("1", "50")], indent=1))
