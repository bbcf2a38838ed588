"""An apply makes the fewest calls that its kinds need, and reads by pool alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks.fewest import changing, fewest, reads, rows
from benchmarks.provisioning import community_of
from provision.applying.apply import apply
from provision.kinds.table import KINDS
from provision.pools import POOLS

if TYPE_CHECKING:
    from tests.provision.conftest import Office

#: Pools that are read again while something in them becomes ready.
POLLED = {"imagepool.info", "vmpool.infoextended", "datastorepool.info"}
#: What a reading of everything makes beside the pools.
BESIDE = {"system.version", "system.config", "user.info"}


@pytest.mark.parametrize("branches", [1, 12])
def test_the_total_is_the_fewest_plus_polling_by_pool(office: Office, branches: int) -> None:
    office = replace(office, community=community_of(branches))
    the_plan = office.plan()
    calls = office.desk.cloud.calls
    calls.clear()
    apply(office.desk, the_plan)
    assert changing(calls) == fewest(the_plan), calls
    by_pool = {call for call, _, _ in POOLS.values()}
    assert {name for name in calls if reads(name)} <= by_pool | BESIDE, "no information call per object"
    once = {name: count for name, count in calls.items() if name in by_pool - POLLED}
    assert max(once.values()) <= 3, "read before, after, and while the community is held"


def test_planning_takes_the_same_calls_for_one_branch_and_for_many(office: Office) -> None:
    made = []
    for branches in (1, 12):
        office = replace(office, community=community_of(branches))
        apply(office.desk, office.plan())
        office.desk.cloud.calls.clear()
        assert not office.plan()
        made.append(office.desk.cloud.calls.total())
    assert made[0] == made[1] <= 20


def test_the_table_in_the_docs_names_every_kind_that_an_apply_makes() -> None:
    published = {"directory", "settings"}  # written to the exchange, by no call
    assert set(KINDS) - published <= set(rows())
