"""What is changed in the file is changed in the cloud: in place where OpenNebula can."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from provision.errors import Blocked, NotFinished
from provision.kinds.network import held_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.conftest import Office


@pytest.fixture
def applied(office: Office) -> Office:
    office.apply()
    office.until_running()
    return office


def steps_of(office: Office, text: str) -> list[tuple[str, str, str, list[str]]]:
    return [(step.action, step.kind, step.key, [change.field for change in step.changes]) for step in office.plan(text)]


IN_PLACE = {
    "a larger quota": (
        "quota: {cpu: 4, memory: 8GiB, disk: 500GiB",
        "quota: {cpu: 8, memory: 8GiB, disk: 1TiB",
        "group",
        ["quota"],
    ),
    "room for the disks of VMs": (
        "disk: 500GiB, vms: 2}",
        "disk: 500GiB, vms: 2, vm_disk: 100GiB}",
        "group",
        ["quota"],
    ),
    "another gateway": ("gateway: 10.20.1.1,", "gateway: 10.20.1.254,", "network", ["gateway", "addresses"]),
    "another scanner": ("host: 10.20.1.52", "host: 10.20.1.77", "network", ["addresses"]),
    "fewer addresses": (
        "appliance: 10.20.1.10}",
        "appliance: 10.20.1.10, addresses: [10.20.1.100-10.20.1.119]}",
        "network",
        ["addresses"],
    ),
    "name servers": (
        "appliance: 10.20.1.10}",
        "appliance: 10.20.1.10, dns: [10.20.1.2, 10.20.1.3]}",
        "network",
        ["dns"],
    ),
}


@pytest.mark.parametrize("case", IN_PLACE)
def test_changed_in_place(applied: Office, example_text: str, case: str) -> None:
    old, new, kind, fields = IN_PLACE[case]
    text = example_text.replace(old, new, 1)
    assert text != example_text
    before = {ref: each.id for ref, each in applied.found().resources.items()}
    assert steps_of(applied, text) == [("update", kind, "erode", fields)]
    assert not applied.apply(text).after
    assert applied.plan(text).to_json() == []
    assert not applied.apply(example_text).after, "and back again"
    assert {ref: each.id for ref, each in applied.found().resources.items()} == before


def test_a_scanner_s_address_is_held_and_a_lease_is_never_taken_away(applied: Office, example_text: str) -> None:
    applied.apply(example_text.replace("host: 10.20.1.52", "host: 10.20.1.77"))
    network = dict(applied.found().view.ours("network"))["erode"]
    assert [str(address) for address in held_in(network)] == ["10.20.1.77"]
    template = 'NAME="guest"\nCPU="0.1"\nMEMORY="64"\nNIC=[NETWORK_ID="{}",IP="10.20.1.120"]'
    vm = applied.raw("vm.allocate", template.format(network.id), False)
    text = example_text.replace("host: 10.20.1.52", "host: 10.20.1.120")
    with pytest.raises(Blocked, match=rf"10.20.1.120 is leased to VM {vm}"):
        applied.apply(text)


def test_a_larger_appliance_is_powered_off_resized_and_started_again(applied: Office, example_text: str) -> None:
    text = example_text.replace("appliance: {cpu: 2, memory: 4GiB", "appliance: {cpu: 3, memory: 6GiB")
    steps = steps_of(applied, text)
    assert {(action, kind) for action, kind, _, _ in steps} == {("update", "template"), ("update", "appliance")}
    vm = applied.found().view.appliances["erode"].id
    assert not applied.apply(text).after
    now = applied.found().view.appliances["erode"]
    assert (now.id, now.text("TEMPLATE/CPU"), now.text("TEMPLATE/MEMORY")) == (vm, "3", "6144")
    applied.until_running()


def test_an_archive_grows_and_never_shrinks(applied: Office, example_text: str) -> None:
    text = example_text.replace("archive: 200GiB", "archive: 300GiB")
    assert {(action, kind) for action, kind, _, _ in steps_of(applied, text)} == {("update", "archive")}
    assert not applied.apply(text).after
    with pytest.raises(Blocked, match="cannot shrink from 300GiB to 200GiB"):
        applied.apply(example_text)


def test_another_os_image_moves_the_appliances_to_it_and_keeps_the_archives(applied: Office, example_text: str) -> None:
    new = applied.folder / "state" / "host" / "var" / "tmp" / "gurney-2.qcow2"
    new.write_bytes(bytes(1 << 20))
    text = example_text.replace("gurney-appliance.qcow2", "gurney-2.qcow2")
    before = applied.found()
    the_plan = applied.plan(text)
    assert not the_plan.losses
    replaced = [step for step in the_plan if step.kind == "appliance"]
    assert [step.action for step in replaced] == ["delete"] * 3 + ["create"] * 3
    assert all("disks" in step.reason for step in replaced)
    assert not applied.apply(text).after
    now = applied.found()
    assert now.view.appliances["erode"].id != before.view.appliances["erode"].id
    archives = [dict(found.view.ours("archive"))["erode"].id for found in (before, now)]
    assert archives[0] == archives[1]
    assert len(dict(now.view.ours("appliance-image"))) == 1


def test_a_branch_that_is_renamed_keeps_everything(applied: Office, example_text: str) -> None:
    before = {ref: each.id for ref, each in applied.found().resources.items() if ref.key == "erode"}
    text = example_text.replace("  erode:\n", "  erode-town:\n    was: erode\n", 1)
    text = text.replace("from: erode", "from: erode-town").replace("[erode", "[erode-town")
    the_plan = applied.plan(text)
    assert not the_plan.losses
    assert {step.action for step in the_plan} == {"update"}
    assert not applied.apply(text).after
    after = {ref: each.id for ref, each in applied.found().resources.items() if ref.key == "erode-town"}
    for ref, number in before.items():
        if ref.kind in KEPT:
            assert after[type(ref)(ref.kind, "erode-town")] == number, ref
    assert applied.plan(text).to_json() == []


def test_a_renamed_branch_may_have_borne_the_name_of_a_host(
    new_office: Callable[..., Office], example_text: str
) -> None:
    """Only names of branches change: a host goes on being called what it is."""
    office = new_office(hosts=("erode", "salem"))
    office.apply()
    office.until_running()
    text = example_text.replace("  erode:\n", "  erode-town:\n    was: erode\n").replace(
        "from: erode", "from: erode-town"
    )
    text = text.replace("to: [erode]", "to: [erode-town]").replace("to: [erode, salem]", "to: [erode-town, salem]")
    changed = [change.field for step in office.plan(text) if step.kind == "vdc" for change in step.changes]
    assert sorted(changed) == ["key", "name"]


KEPT = {"group", "vdc", "network", "security-group", "archive", "template"}


def test_a_new_branch_touches_no_other(applied: Office, example_text: str) -> None:
    start, end = example_text.index("  karur:"), example_text.index("referrals:")
    fourth = (
        example_text[start:end].replace("karur", "namakkal").replace("KARUR", "NAMAKKAL").replace("10.20.3", "10.20.4")
    )
    text = example_text[:end] + fourth.replace("103", "104") + example_text[end:]
    assert {step.key for step in applied.plan(text)} == {"namakkal"}
    assert not applied.apply(text).after


def test_a_branch_that_goes_takes_its_archive_only_with_leave(applied: Office, example_text: str) -> None:
    start, end = example_text.index("  karur:"), example_text.index("referrals:")
    text = example_text[:start]
    assert end
    with pytest.raises(Blocked, match=r"delete archive kongu\.karur\.archive loses all images of karur, 200GiB"):
        applied.apply(text)
    assert not applied.apply(text, allow=frozenset({"karur"})).after
    assert {ref.key for ref in applied.found().resources if ref.kind != "outbox-folder"} >= {"erode", "salem"}
    assert "karur" not in applied.found().view.groups


def test_drift_is_seen_and_undone(applied: Office) -> None:
    now = applied.found()
    group = now.view.groups["erode"].id
    applied.raw("group.quota", group, 'VM=[VMS="99"]')
    applied.raw("vdc.addgroup", 0, group)
    applied.raw("acl.addrule", f"{0x200000000 + group:x}", "8400000000", "7")
    applied.raw("acl.addrule", f"{0x200000000 + group:x}", "4400000000", "2")
    applied.raw(
        "secgroup.update",
        dict(now.view.ours("security-group"))["erode"].id,
        'RULE=[PROTOCOL="ALL",RULE_TYPE="INBOUND"]',
        1,
    )
    applied.raw("image.unlock", dict(now.view.ours("archive"))["erode"].id)
    applied.raw("image.chmod", dict(now.view.ours("archive"))["erode"].id, 1, 1, 0, 1, 1, 0, 1, 1, 0)
    applied.raw("template.update", dict(now.view.ours("template"))["erode"].id, 'MEMORY="64"', 1)
    applied.raw("vm.chown", now.view.appliances["erode"].id, -1, 0)
    seen = {(step.kind, change.field) for step in applied.plan() for change in step.changes}
    assert seen == {
        ("group", "quota"),
        ("vdc", "isolated"),
        ("rights", "rules"),
        ("security-group", "rules"),
        ("archive", "locked"),
        ("archive", "mode"),
        ("template", "memory_mib"),
        ("appliance", "group"),
    }
    assert not applied.apply().after


def test_a_thing_that_somebody_deleted_is_made_again(applied: Office) -> None:
    now = applied.found()
    applied.raw("template.delete", dict(now.view.ours("template"))["erode"].id, False)
    the_plan = applied.plan()
    assert [(step.action, step.kind) for step in the_plan] == [("create", "template")], "the VM is known by its archive"
    assert not applied.apply().after


def test_a_group_without_vdc_and_mark_is_known_by_what_was_handed_to_it(applied: Office) -> None:
    """Found by the random roads: nothing of the branch was believed to be ours any more, and all names were taken."""
    view = applied.found().view
    group, others = view.groups["erode"].id, {ref.key for ref in applied.found().resources if ref.kind == "archive"}
    applied.raw("vdc.delete", view.vdcs["erode"].id)
    applied.raw("group.update", group, 'GURNEY_KEY="x"', 1)
    stranger = applied.raw("group.allocate", "kongu.namakkal")
    assert applied.found().view.groups["erode"].id == group
    assert "namakkal" not in applied.found().view.groups
    assert [(step.action, step.kind) for step in applied.plan()] == [("update", "group"), ("create", "vdc")]
    assert not applied.apply().after
    assert {ref.key for ref in applied.found().resources if ref.kind == "archive"} == others
    assert applied.found().pools.by_id["group"][stranger].name == "kongu.namakkal"


def test_a_network_is_made_anew_though_a_template_is_gone(applied: Office, example_text: str) -> None:
    """Found by the random roads: the old VM waited for the new template, and that for the network that the VM is on."""
    applied.raw("template.delete", dict(applied.found().view.ours("template"))["erode"].id, False)
    text = example_text.replace("vlan: 101", "vlan: 111")
    anew = [(step.action, step.kind) for step in applied.plan(text) if step.key == "erode"]
    assert anew.index(("delete", "appliance")) < anew.index(("delete", "network")) < anew.index(("create", "network"))
    assert anew.index(("create", "network")) < anew.index(("create", "template")) < anew.index(("create", "appliance"))
    assert not applied.apply(text).after


def test_an_image_that_cannot_be_made_leaves_the_old_appliances_running(office: Office, example_text: str) -> None:
    """What an appliance is to be made anew from has to stand before the old one is ended."""
    office.apply()
    office.until_running()
    before = {name: vm.id for name, vm in office.found().view.appliances.items()}
    with pytest.raises(NotFinished, match="No such file"):
        office.apply(example_text.replace("gurney-appliance.qcow2", "missing.qcow2"))
    assert {name: vm.id for name, vm in office.found().view.appliances.items()} == before
    office.until_running()
    assert not office.apply().after


def test_parts_of_a_cpu_are_kept_as_declared(office: Office, example_text: str) -> None:
    text = example_text.replace("appliance: {cpu: 2,", "appliance: {cpu: 1.1,").replace("cpu: 4,", "cpu: 2.2,")
    assert text.count("2.2") >= 2
    assert not office.apply(text).after
    assert office.plan(text).to_json() == []


def test_a_range_without_ipv4_addresses_is_left_alone(applied: Office, example_text: str) -> None:
    """IPv6 is nothing that Gurney declares: a lease of it is in nobody's way."""
    number = dict(applied.found().view.ours("network"))["erode"].id
    applied.raw("vn.add_ar", number, 'AR=[TYPE="IP6",SIZE="9",GLOBAL_PREFIX="fd00:1::",MAC="02:00:aa:00:00:01"]')
    applied.raw("vn.hold", number, 'LEASES=[MAC="02:00:aa:00:00:01"]')
    (v6,) = [each for each in dict(applied.found().view.ours("network"))["erode"].children("AR_POOL/AR")
             if each.text("TYPE") == "IP6"]  # fmt: skip
    assert v6.text("ALLOCATED").split()
    assert applied.plan().to_json() == []
    assert not applied.apply(example_text.replace("host: 10.20.1.52", "host: 10.20.1.77")).after
    assert applied.plan().obstacles == ()


def large(text: str) -> str:
    """The example, where erode has all of 10.0.0.0/8."""
    erode = text.replace("cidr: 10.20.1.0/24", "cidr: 10.0.0.0/8")
    for former, now in {
        "10.20.2.": "192.168.2.",
        "10.20.3.": "192.168.3.",
        "[10.20.0.0/24]": "[172.20.0.0/24]",
    }.items():
        erode = erode.replace(former, now)
    return erode


def test_a_network_of_sixteen_million_addresses_costs_no_more(office: Office, example_text: str) -> None:
    text = large(example_text)
    assert not office.apply(text).after
    tracemalloc.start()
    assert not office.apply(text.replace("host: 10.20.1.52", "host: 10.20.1.77")).after
    assert tracemalloc.get_traced_memory()[1] < 100 << 20
    tracemalloc.stop()
    assert [str(address) for address in held_in(dict(office.found().view.ours("network"))["erode"])] == ["10.20.1.77"]
    few = text.replace("appliance: 10.20.1.10}", "appliance: 10.20.1.10, addresses: [10.20.1.100-10.20.1.119]}")
    (words,) = office.plan(few).obstacles
    assert "kongu.erode: 167771" in words
    assert "have to be held, one by one" in words
    with pytest.raises(Blocked):
        office.apply(few)
