"""Where machines come to run, and in which networks: what is asked for holds, or they wait and say why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyone
import pytest

from emulator.objects.requirement import WrongExpression, parsed
from emulator.settings import Pace, Probe
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.cloud import Cloud

PACE = Pace(schedule_s=0.02, retry_placement_s=0.1, host_s=0.02)
MACHINE = 'NAME="m"\nCPU="1"\nMEMORY="64"'
VALUES = {"ID": ["7"], "NAME": ["node7"], "FREE": ["12.5"], "CLUSTERS/ID": ["100", "0"]}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ('ID="7"', True),
        ("ID = 7", True),
        ("ID=8", False),
        ('NAME="node*"', True),
        ('NAME!="node7"', False),
        ('ID="8" | ID="7"', True),
        ('(ID="8" | ID="7") & NAME="x"', False),
        ('!(NAME="x")', True),
        ('!NAME="node7" | ID=7', True),
        ("FREE > 12 & FREE < 13", True),
        ('NAME > "node8"', False),
        ('"CLUSTERS/ID" @> 0', True),
        ('"CLUSTERS/ID" @> 5', False),
        ('NOTHING="x"', False),
        ('NOTHING!="x"', False),
    ],
)
def test_expressions(text: str, holds: bool) -> None:
    """As OpenNebula reads them; what is not there compares with nothing."""
    assert parsed(text)(lambda name: VALUES.get(name, [])) is holds


@pytest.mark.parametrize("text", ["ID", "ID=", "=7", "(ID=7", "ID=7)", "ID=7 &", 'ID="7', "ID==7", "ID & 7", "@" * 3])
def test_wrong_expressions(text: str) -> None:
    """They are refused, and never half read."""
    with pytest.raises(WrongExpression):
        parsed(text)


def client(cloud: Cloud) -> Any:
    one = pyone.OneServer(cloud.endpoint, session=cloud.session)
    until(lambda: all(host.STATE == 2 for host in one.hostpool.info().HOST))
    return one


def host_of(one: Any, vm: int) -> str:
    until(lambda: one.vm.info(vm).LCM_STATE == 3)
    return str(one.vm.info(vm).HISTORY_RECORDS.HISTORY[-1].HOSTNAME)


def message(one: Any, vm: int) -> str:
    """Why a machine is not placed."""
    until(lambda: "SCHED_MESSAGE" in one.vm.info(vm).USER_TEMPLATE)
    assert one.vm.info(vm).STATE == 1
    return str(one.vm.info(vm).USER_TEMPLATE["SCHED_MESSAGE"])


def test_requirements_choose_the_host(make_cloud: Callable[..., Cloud]) -> None:
    """A machine goes where it asks to; one that asks for what is nowhere waits, and so does one that cannot be read."""
    one = client(make_cloud(hosts=("a", "b", "c"), pace=PACE))
    for name in ("a", "b", "c"):
        asked = f'{MACHINE}\nSCHED_REQUIREMENTS="NAME=\\"{name}\\" | NAME=\\"none\\""'
        assert host_of(one, one.vm.allocate(asked)) == name
    nowhere = one.vm.allocate(MACHINE + '\nSCHED_REQUIREMENTS="NAME=\\"none\\""')
    assert "No hosts enabled" in message(one, nowhere)
    assert "Error in SCHED_REQUIREMENTS" in message(one, one.vm.allocate(MACHINE + '\nSCHED_REQUIREMENTS="NAME"'))
    one.vm.update(nowhere, 'SCHED_REQUIREMENTS="NAME=\\"b\\""', 1)
    assert host_of(one, nowhere) == "b"


def test_capacity_is_never_exceeded(make_cloud: Callable[..., Cloud]) -> None:
    """As many machines run as there is room for, by CPU and by memory; the next runs when one ends."""
    one = client(make_cloud(hosts=("a", "b"), pace=PACE, probe=Probe(cpu=200, memory_kib=1024 * 1024)))
    vms = [one.vm.allocate(MACHINE) for _ in range(6)]
    until(lambda: sum(one.vm.info(vm).LCM_STATE == 3 for vm in vms) == 4)
    waiting = [vm for vm in vms if one.vm.info(vm).STATE == 1]
    assert all("Not enough CPU on hosts: 0,1" in message(one, vm) for vm in waiting)
    assert [host.HOST_SHARE.CPU_USAGE for host in one.hostpool.info().HOST] == [200, 200]
    big = one.vm.allocate('NAME="big"\nCPU="0.1"\nMEMORY="2048"')
    running = next(vm for vm in vms if vm not in waiting)
    one.vm.action("terminate-hard", running)
    until(lambda: any(one.vm.info(vm).LCM_STATE == 3 for vm in waiting))
    assert "Not enough CPU" in message(one, big)
    for vm in vms:
        until(lambda vm=vm: one.vm.info(vm).LCM_STATE == 3 or one.vm.info(vm).STATE in {1, 6})  # type: ignore[misc]
        one.vm.action("terminate-hard", vm)
    until(lambda: "Not enough MEMORY on hosts: 0,1" in message(one, big))
    with pytest.raises(pyone.OneActionException, match="Not enough memory"):
        one.vm.deploy(big, 0, True)
    assert all(host.HOST_SHARE.CPU_USAGE <= host.HOST_SHARE.MAX_CPU for host in one.hostpool.info().HOST)


def test_disks_need_space(make_cloud: Callable[..., Cloud]) -> None:
    """Copies of disks are made only where there is space: on the host, or on storage that the hosts share."""
    space = {"DISK_USAGE": "0", "FREE_DISK": "100", "MAX_DISK": "100", "USED_DISK": "0"}
    one = client(make_cloud(pace=PACE, probe=Probe(datastores=space)))
    fits = one.vm.allocate(f'{MACHINE}\nDISK=[TYPE="fs",SIZE="100",FORMAT="raw"]')
    host_of(one, fits)
    large = one.vm.allocate(f'{MACHINE}\nDISK=[TYPE="fs",SIZE="101",FORMAT="raw"]')
    assert "No system datastores with enough capacity" in message(one, large)
    one.datastore.allocate('NAME="shared"\nTYPE="SYSTEM_DS"\nTM_MAD="shared"')
    host_of(one, large)
    assert one.vm.info(large).HISTORY_RECORDS.HISTORY[-1].TM_MAD == "shared"


def test_scheduler_chooses_the_network(make_cloud: Callable[..., Cloud]) -> None:
    """An automatic interface gets its lease when its machine is placed, in a network that meets what it asks."""
    cloud = make_cloud(pace=PACE)
    one = client(cloud)
    nets = [
        one.vn.allocate(f'NAME="n{n}"\nVN_MAD="bridge"\nZONE="{n}"\nAR=[TYPE="IP4",IP="10.0.{n}.1",SIZE="2"]', 0)
        for n in range(3)
    ]
    nic = 'NIC=[NETWORK_MODE="auto",SCHED_REQUIREMENTS="ZONE=1"]'
    held = one.vm.allocate(f'{MACHINE}\n{nic}\nCONTEXT=[NETWORK="YES"]', True)
    assert "IP" not in one.vm.info(held).TEMPLATE["NIC"]
    assert one.vn.info(nets[1]).USED_LEASES == 0
    one.vm.action("release", held)
    host_of(one, held)
    found = one.vm.info(held).TEMPLATE
    assert (found["NIC"]["NETWORK_ID"], found["NIC"]["IP"], found["NIC"]["NIC_ID"]) == (str(nets[1]), "10.0.1.1", "0")
    assert found["CONTEXT"]["ETH0_IP"] == "10.0.1.1"
    assert one.vn.info(nets[1]).USED_LEASES == 1
    nowhere = one.vm.allocate(f'{MACHINE}\nNIC=[NETWORK_MODE="auto",SCHED_REQUIREMENTS="ZONE=9"]')
    assert "No virtual network meets SCHED_NIC_REQUIREMENTS for NIC 0" in message(one, nowhere)
    one.vm.action("terminate-hard", held)
    until(lambda: one.vm.info(held).STATE == 6)
    assert one.vn.info(nets[1]).USED_LEASES == 0


def test_scheduler_minds_the_owner(make_cloud: Callable[..., Cloud]) -> None:
    """Neither a network that the owner may not use is chosen, nor one above the owner's quota."""
    cloud = make_cloud(pace=PACE)
    one = client(cloud)
    group = one.group.allocate("branch")
    one.vdc.delgroup(0, group)
    one.acl.addrule(f"0x{(1 << 33) | group:x}", f"0x{(1 << 36) | (1 << 34):x}", "0x8")
    user = one.user.allocate("ida", "a long password", "core", [group])
    ida = pyone.OneServer(cloud.endpoint, session="ida:a long password")
    net = one.vn.allocate('NAME="n"\nVN_MAD="bridge"\nAR=[TYPE="IP4",IP="10.0.0.1",SIZE="9"]', 0)
    asked = f'{MACHINE}\nNIC=[NETWORK_MODE="auto"]'
    waits = ida.vm.allocate(asked)
    assert "not authorized to use any virtual network for NIC 0" in message(one, waits)
    one.user.quota(user, f'NETWORK=[ID="{net}",LEASES="1"]')
    one.vn.chown(net, -1, group)
    one.vn.chmod(net, -1, -1, -1, 1, -1, -1, -1, -1, -1)
    host_of(one, waits)
    assert "No virtual network meets" in message(one, ida.vm.allocate(asked))
    assert one.vn.info(net).USED_LEASES == 1


def test_quota_of_a_cluster(make_cloud: Callable[..., Cloud]) -> None:
    """A limit for some clusters holds where a machine is placed; it counts what was there before it."""
    cloud = make_cloud(hosts=("a", "b"), pace=PACE)
    one = client(cloud)
    cluster = one.cluster.allocate("small")
    one.cluster.addhost(cluster, 1)
    one.cluster.adddatastore(cluster, 0)
    group = one.group.allocate("branch")
    one.acl.addrule(f"0x{(1 << 33) | group:x}", f"0x{(1 << 36) | (1 << 34):x}", "0x8")
    user = one.user.allocate("ida", "a long password", "core", [group])
    ida = pyone.OneServer(cloud.endpoint, session="ida:a long password")
    asked = MACHINE + '\nSCHED_REQUIREMENTS="NAME=\\"b\\""'
    first = ida.vm.allocate(asked)
    assert host_of(one, first) == "b"
    one.user.quota(user, f'VM=[CLUSTER_IDS="{cluster}",VMS="1"]')
    assert used(one, user) == ["1"]
    one.cluster.delhost(cluster, 1)
    until(lambda: used(one, user) == ["0"])
    assert one.vm.info(first).HISTORY_RECORDS.HISTORY[-1].CID == 0
    one.cluster.addhost(cluster, 1)
    until(lambda: used(one, user) == ["1"])
    second = ida.vm.allocate(asked)
    assert "limit of 1 reached for VMS quota" in message(one, second)
    with pytest.raises(pyone.OneAuthorizationException, match="limit of 1 reached for VMS"):
        one.vm.deploy(second, 1)
    assert host_of(one, ida.vm.allocate(MACHINE + '\nSCHED_REQUIREMENTS="NAME=\\"a\\""')) == "a"
    ida.vm.action("terminate-hard", first)
    assert host_of(one, second) == "b"


def used(one: Any, user: int) -> list[str]:
    """Machines counted to the quotas of clusters."""
    return [quota.VMS_USED for quota in one.user.info(user).VM_QUOTA.VM if quota.CLUSTER_IDS]


def test_router_with_floating_addresses_alone(make_cloud: Callable[..., Cloud]) -> None:
    """FLOATING_ONLY: the router has one address, its machines have none of their own, and nothing is left over."""
    one = client(make_cloud(pace=PACE))
    net = one.vn.allocate('NAME="n"\nVN_MAD="bridge"\nAR=[TYPE="IP4",IP="10.0.0.1",SIZE="9"]', 0)
    template = one.template.allocate('NAME="t"\nCPU="0.1"\nMEMORY="64"\nVROUTER="YES"\nCONTEXT=[NETWORK="YES"]')
    router = one.vrouter.allocate(f'NAME="r"\nNIC=[NETWORK_ID="{net}",FLOATING_IP="YES",FLOATING_ONLY="YES"]')
    one.vrouter.instantiate(router, 2, template, "", False, "")
    vms = list(one.vrouter.info(router).VMS.ID)
    for vm in vms:
        host_of(one, vm)
        nic = one.vm.info(vm).TEMPLATE["NIC"]
        assert (nic["VROUTER_IP"], nic.get("IP")) == ("10.0.0.1", None)
        assert nic["MAC"].startswith("02:00:")
        assert one.vm.info(vm).TEMPLATE["CONTEXT"]["ETH0_VROUTER_IP"] == "10.0.0.1"
        assert not one.vm.info(vm).TEMPLATE["CONTEXT"]["ETH0_IP"]
    assert one.vn.info(net).USED_LEASES == 1
    one.vrouter.delete(router)
    until(lambda: all(one.vm.info(vm).STATE == 6 for vm in vms))
    assert one.vn.info(net).USED_LEASES == 0
    one.vn.delete(net)
