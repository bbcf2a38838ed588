"""Appliances of declared branches are kept on different hosts: a VM group, its roles, and who is in them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provision.declaring.reading import parse
from provision.errors import Blocked, CloudError
from provision.planning.apart import runs_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.conftest import Office

HOSTS = ("one", "two", "three")


@pytest.fixture
def apart_text(example_text: str) -> str:
    return example_text.replace("referrals:", "apart: [[erode, salem], [salem, karur]]\nreferrals:")


def roles(office: Office) -> dict[str, list[str]]:
    group = dict(office.found().view.ours("vm-group"))[""]
    return {role.name: role.text("VMS").split(",") for role in group.children("ROLES/ROLE")}


def test_appliances_that_are_declared_apart_run_apart(new_office: Callable[..., Office], apart_text: str) -> None:
    office = new_office(hosts=HOSTS)
    assert not office.apply(apart_text).after
    office.until_running()
    now = office.found()
    hosts = [runs_on(now, name) for name in ("erode", "salem", "karur")]
    assert hosts[0] != hosts[1] != hosts[2]
    assert roles(office) == {name: [str(now.view.appliances[name].id)] for name in ("erode", "salem", "karur")}
    assert office.plan(apart_text).to_json() == []
    assert office.plan(apart_text).conditions == ()


def test_an_appliance_that_runs_joins_and_leaves_where_it_stands(
    new_office: Callable[..., Office], example_text: str, apart_text: str
) -> None:
    office = new_office(hosts=HOSTS)
    office.apply(example_text)
    office.until_running()
    spread(office)
    before = {name: vm.id for name, vm in office.found().view.appliances.items()}
    the_plan = office.plan(apart_text)
    assert {(step.action, step.kind) for step in the_plan} == {
        ("create", "vm-group"),
        ("update", "template"),
        ("update", "appliance"),
    }
    assert not office.apply(apart_text).after
    only_two = example_text.replace("referrals:", "apart: [[erode, salem]]\nreferrals:")
    assert not office.apply(only_two).after
    assert set(roles(office)) == {"erode", "salem"}
    assert not office.apply(example_text).after
    assert not office.found().pools.nodes["vmgroup"]
    assert {name: vm.id for name, vm in office.found().view.appliances.items()} == before


def spread(office: Office) -> None:
    """Move each appliance to a host of its own."""
    hosts = {node.name: node.id for node in office.found().pools.nodes["host"]}
    for name, host in zip(("erode", "salem", "karur"), HOSTS, strict=True):
        if runs_on(office.found(), name) != host:
            office.raw("vm.migrate", office.found().view.appliances[name].id, hosts[host], False, False, -1, 1)
            office.until_running()
    assert [runs_on(office.found(), name) for name in ("erode", "salem", "karur")] == list(HOSTS)


def test_too_few_hosts_are_told_before_anything_is_changed(office: Office, apart_text: str) -> None:
    with pytest.raises(Blocked, match="erode and salem are to be kept apart and need 2 hosts; cluster default has 1"):
        office.apply(apart_text)
    assert not office.found().view.groups


def test_appliances_on_one_host_cannot_join_and_the_plan_says_so(
    new_office: Callable[..., Office], example_text: str, apart_text: str
) -> None:
    """OpenNebula refuses to let a running VM join where its host breaks the rule, and moves nobody by itself."""
    office = new_office(hosts=HOSTS)
    office.apply(example_text)
    office.until_running()
    spread(office)
    one = next(node.id for node in office.found().pools.nodes["host"] if node.name == "one")
    salem = office.found().view.appliances["salem"].id
    with pytest.raises(CloudError, match="VM with FILESYSTEM disks cannot be live-migrated"):
        office.raw("vm.migrate", salem, one, True, False, -1, 0)
    office.raw("vm.migrate", salem, one, False, False, -1, 1)
    office.until_running()
    with pytest.raises(
        Blocked, match=rf"erode and salem both run on host one .* \(onevm migrate --poff {salem} HOST\)"
    ):
        office.apply(apart_text)
    group = office.raw("vmgroup.allocate", 'NAME="x"\nROLE=[NAME="a"]\nROLE=[NAME="b"]\nANTI_AFFINED="a,b"')
    office.raw("vm.vmgroupadd", office.found().view.appliances["erode"].id, group, "a")
    with pytest.raises(CloudError, match=r"it is ANTI_AFFINED with role a and VM .* is on the same host"):
        office.raw("vm.vmgroupadd", salem, group, "b")


def test_before_7_4_a_vm_that_stands_cannot_join(
    new_office: Callable[..., Office], example_text: str, apart_text: str
) -> None:
    office = new_office(hosts=HOSTS)
    office.apply(example_text)
    office.until_running()
    spread(office)
    found = office.found()
    older = replace(found, view=replace(found.view, pools=replace(found.pools, version="7.2.0")))
    from provision.planning.plan import plan

    told = plan(parse(apart_text), older).obstacles
    assert len(told) == 3
    assert all("7.2.0 cannot change the VM group of a VM that stands (7.4 can): end the VM" in each for each in told)


def test_drift_of_the_vm_group_is_seen_and_undone(new_office: Callable[..., Office], apart_text: str) -> None:
    office = new_office(hosts=HOSTS)
    office = replace(office, community=parse(apart_text))
    office.apply()
    office.until_running()
    group = dict(office.found().view.ours("vm-group"))[""].id
    office.raw("vm.vmgroupdel", office.found().view.appliances["salem"].id)
    office.raw("vmgroup.update", group, 'ANTI_AFFINED="erode,karur"', 1)
    office.raw("vmgroup.roleadd", group, 'ROLE=[NAME="stray"]')
    seen = {(step.kind, change.field) for step in office.plan() for change in step.changes}
    assert seen == {("vm-group", "apart"), ("vm-group", "roles"), ("appliance", "apart")}
    assert not office.apply().after


def test_a_renamed_branch_stays_apart(new_office: Callable[..., Office], apart_text: str) -> None:
    office = new_office(hosts=HOSTS)
    office.apply(apart_text)
    office.until_running()
    text = apart_text.replace("  erode:\n", "  erode-town:\n    was: erode\n", 1).replace("[[erode", "[[erode-town")
    text = text.replace("from: erode", "from: erode-town").replace("to: [erode", "to: [erode-town")
    assert not office.apply(text).after
    assert set(roles(office)) == {"erode-town", "salem", "karur"}


def test_destroy_takes_the_vm_group_away(new_office: Callable[..., Office], apart_text: str) -> None:
    from provision.applying.apply import apply
    from provision.applying.destroy import plan_to_destroy

    office = new_office(hosts=HOSTS)
    office.apply(apart_text)
    office.until_running()
    apply(office.desk, plan_to_destroy(office.found()), allow=frozenset({"erode", "salem", "karur"}))
    assert not office.found().pools.nodes["vmgroup"]
