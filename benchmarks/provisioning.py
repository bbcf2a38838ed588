"""Planning and applying against the embedded cloud with a delay a call: calls counted, times taken.

Run as `python benchmarks/provisioning.py [--delay-ms MS] [BRANCHES...]`; prints JSON. The embedded cloud is a process
of its own, so that its CPU time stands apart from Gurney's: on few cores the one can hide the other.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.embedded import Embedded, embedded
from benchmarks.fewest import changing, fewest, longest_chain
from provision.applying.apply import apply
from provision.declaring.reading import load
from provision.planning.found import found
from provision.planning.plan import plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.targets import Figures
    from provision.declaring.community import Community
    from provision.desk import Desk

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "community.yaml"
#: The median of all calls that were recorded of a real front end; and the mean of what those of an apply took there.
DELAY_MS, WRITING_MS = 2, 17


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


def measured(branches: int, delay_ms: int = DELAY_MS) -> dict[str, Any]:
    """Apply a community of so many branches, then plan it again."""
    community = community_of(branches)
    with tempfile.TemporaryDirectory() as name, embedded(Path(name), delay_ms) as cloud:
        desk = cloud.desk()
        applied = _applied(cloud, desk, community, delay_ms / 1000)
        return {"branches": branches, "delay_ms": delay_ms, **applied, **_planned(cloud, desk, community)}


def _applied(cloud: Embedded, desk: Desk, community: Community, delay_s: float) -> dict[str, Any]:
    the_plan = plan(community, found(desk, community.community))
    spent = _spent(cloud, desk, lambda: apply(desk, the_plan))
    calls = desk.cloud.calls
    bound = delay_s * max(longest_chain(the_plan), calls.total() / desk.cloud.connections)
    return {
        **{f"apply_{name}": value for name, value in spent.items()},
        "apply_changing_calls": changing(calls),
        "apply_fewest_calls": fewest(the_plan),
        "apply_reading_calls": calls.total() - changing(calls),
        "apply_longest_chain_calls": longest_chain(the_plan),
        "apply_bound_s": round(bound, 2),
        "apply_wall_of_bound": round(spent["wall_s"] / bound, 2),
    }


def _planned(cloud: Embedded, desk: Desk, community: Community) -> dict[str, Any]:
    spent = _spent(cloud, desk, lambda: plan(community, found(desk, community.community)))
    return {**{f"plan_{name}": value for name, value in spent.items()}, "plan_calls": desk.cloud.calls.total()}


def _spent(cloud: Embedded, desk: Desk, act: Callable[[], object]) -> dict[str, float]:
    """Seconds on the clock, and of CPU: our own, and the embedded cloud's."""
    desk.cloud.calls = Counter()
    wall, own, theirs = time.perf_counter(), time.process_time(), cloud.cpu_s
    act()
    return {
        "wall_s": round(time.perf_counter() - wall, 3),
        "cpu_s": round(time.process_time() - own, 3),
        "cloud_cpu_s": round(cloud.cpu_s - theirs, 3),
    }


def provisioning(_folder: Path, _repeat: int, quick: bool) -> Figures:
    """For `make bench`: planning 1 and 200 branches, applying 50."""
    few, some, many = (measured(branches) for branches in ((1, 10, 40) if quick else (1, 50, 200)))
    slow = measured(some["branches"], WRITING_MS)
    return {
        "provisioning/plan calls/few": few["plan_calls"],
        "provisioning/plan calls/many": many["plan_calls"],
        "provisioning/plan cpu/many": many["plan_cpu_s"],
        "provisioning/apply calls": some["apply_changing_calls"],
        "provisioning/apply calls/fewest": some["apply_fewest_calls"],
        "provisioning/apply wall": some["apply_wall_s"],
        "provisioning/apply bound": some["apply_bound_s"],
        "provisioning/apply wall/recorded": slow["apply_wall_s"],
        "provisioning/apply bound/recorded": slow["apply_bound_s"],
        "provisioning/apply cpu": some["apply_cpu_s"],
        "provisioning/apply cpu/embedded cloud": some["apply_cloud_cpu_s"],
    }


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("branches", nargs="*", type=int, default=[1, 50])
    parser.add_argument("--delay-ms", type=int, default=DELAY_MS)
    asked = parser.parse_args()
    print(json.dumps([measured(branches, asked.delay_ms) for branches in asked.branches], indent=1))


if __name__ == "__main__":
    main()
