"""Who may do what: permission bits, access rules, virtual data centers, quotas and locks are enforced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyone
import pytest

from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.cloud import Cloud

ADMIN, CREATE = "0x4", "0x8"
GROUP, ALL = 1 << 33, 1 << 34
TEMPLATES, HOSTS, MACHINES = 1 << 41, 1 << 37, 1 << 36


@pytest.fixture
def enter(cloud: Cloud, one: Any) -> Callable[..., Any]:
    """Makes a user in a group, and gives pyone as that user."""

    def make(name: str, group: int) -> Any:
        one.user.allocate(name, "a long password", "core", [group])
        return pyone.OneServer(cloud.endpoint, session=f"{name}:a long password")

    return make


@pytest.fixture
def branch(one: Any) -> int:
    """A group whose members may make machines and templates; in no VDC."""
    number: int = one.group.allocate("branch")
    one.vdc.delgroup(0, number)
    one.acl.addrule(f"0x{GROUP | number:x}", f"0x{MACHINES | TEMPLATES | ALL:x}", CREATE)
    return number


def who(one: Any) -> int:
    """The caller's own id."""
    number: int = one.user.info(-1).ID
    return number


def test_stranger_sees_and_touches_nothing(one: Any, branch: int, enter: Callable[..., Any]) -> None:
    """What belongs to another is not used, not changed, not deleted, and not listed."""
    number = one.template.allocate('NAME="mine"\nA="1"')
    ida = enter("ida", branch)
    for attempt in (
        lambda: ida.template.info(number),
        lambda: ida.template.update(number, 'A="2"', 1),
        lambda: ida.template.delete(number),
        lambda: ida.template.chmod(number, 1, 1, 1, 1, 1, 1, 1, 1, 1),
        lambda: ida.template.instantiate(number, "x", True, "", False),
    ):
        with pytest.raises(pyone.OneAuthorizationException, match=rf"TEMPLATE \[{number}\]"):
            attempt()
    assert ida.templatepool.info(-2, -1, -1).VMTEMPLATE == []
    assert one.template.info(number).TEMPLATE["A"] == "1"


def test_permission_bits(one: Any, branch: int, enter: Callable[..., Any]) -> None:
    """The group's bits are for the group, the others' for all, use is not manage."""
    ida, pia, eve = enter("ida", branch), enter("pia", branch), enter("eve", 1)
    number = ida.template.allocate('NAME="t"')
    ida.template.chmod(number, -1, -1, -1, 1, 0, 0, 0, 0, 0)
    assert pia.template.info(number).NAME == "t"
    with pytest.raises(pyone.OneAuthorizationException):
        pia.template.rename(number, "hers")
    with pytest.raises(pyone.OneAuthorizationException):
        eve.template.info(number)
    ida.template.chmod(number, -1, -1, -1, 0, 0, 0, 1, 1, 0)
    eve.template.rename(number, "for everyone")


def test_access_rules(one: Any, branch: int, enter: Callable[..., Any]) -> None:
    """A rule gives a right; without the rule it is gone again."""
    ida = enter("ida", 1)
    number = one.template.allocate('NAME="t"')
    one.template.chown(number, -1, branch)
    user, resource = f"0x{(1 << 32) | who(ida):x}", f"0x{TEMPLATES | GROUP | branch:x}"
    rule = one.acl.addrule(user, resource, "0x3")
    assert ida.template.info(number).NAME == "t"
    ida.template.rename(number, "renamed")
    one.acl.delrule(rule)
    with pytest.raises(pyone.OneAuthorizationException):
        ida.template.info(number)


def test_rule_about_a_kind(one: Any, enter: Callable[..., Any]) -> None:
    """A rule about all hosts is about no other kind."""
    ida = enter("ida", 1)
    assert ida.hostpool.info().HOST == []
    one.acl.addrule(f"0x{(1 << 32) | who(ida):x}", f"0x{HOSTS | ALL:x}", ADMIN)
    ida.host.rename(0, "hers")
    with pytest.raises(pyone.OneAuthorizationException):
        ida.cluster.rename(0, "not hers")


def test_vdc_shows_what_it_holds(one: Any, branch: int, enter: Callable[..., Any]) -> None:
    """A group sees the networks of its own VDC, and those of no other."""
    ida = enter("ida", branch)
    nets = [one.vn.allocate(f'NAME="net{number}"\nVN_MAD="dummy"\nBRIDGE="b"', 0) for number in range(2)]
    vdc = one.vdc.allocate('NAME="the branch"')
    one.vdc.addgroup(vdc, branch)
    assert ida.vnpool.info(-2, -1, -1).VNET == []
    one.vdc.addvnet(vdc, 0, nets[1])
    assert [net.ID for net in ida.vnpool.info(-2, -1, -1).VNET] == [nets[1]]
    assert ida.vn.info(nets[1]).NAME == "net1"
    with pytest.raises(pyone.OneAuthorizationException):
        ida.vn.info(nets[0])
    one.vdc.delvnet(vdc, 0, nets[1])
    assert ida.vnpool.info(-2, -1, -1).VNET == []


def test_quotas(one: Any, branch: int, enter: Callable[..., Any]) -> None:
    """A limit holds for users and groups, counts back, and can be raised."""
    ida = enter("ida", branch)
    me = who(ida)
    one.user.quota(me, 'VM=[VMS="2",CPU="-2",MEMORY="1000"]')
    one.group.quota(branch, 'VM=[VMS="-2",MEMORY="900"]')
    machine = 'NAME="m"\nCPU="1"\nMEMORY="400"'
    first = ida.vm.allocate(machine, True)
    ida.vm.allocate(machine, True)
    with pytest.raises(pyone.OneAuthorizationException, match="limit of 2 reached for VMS quota"):
        ida.vm.allocate(machine, True)
    one.user.quota(me, 'VM=[VMS="9"]')
    with pytest.raises(pyone.OneAuthorizationException, match="MEMORY"):
        ida.vm.allocate(machine, True)
    ida.vm.action("terminate-hard", first)
    ida.vm.allocate(machine, True)
    assert one.user.info(me).VM_QUOTA.VM[0].VMS_USED == "2"


def test_locks(one: Any, branch: int, enter: Callable[..., Any]) -> None:
    """A locked object is not changed, not even by its owner; who locked it unlocks it."""
    ida, pia = enter("ida", branch), enter("pia", branch)
    number = ida.template.allocate('NAME="t"')
    ida.template.chmod(number, -1, -1, -1, 1, 1, 0, 0, 0, 0)
    ida.template.lock(number, 2, False)
    for user in (ida, pia):
        with pytest.raises(pyone.OneAuthorizationException):
            user.template.rename(number, "other")
    with pytest.raises(pyone.OneActionException, match="owned by another"):
        pia.template.unlock(number)
    ida.template.unlock(number)
    pia.template.rename(number, "other")


def test_leases_are_unique_and_given_back(one: Any) -> None:
    """An address is leased once; a network that is used stays; the last address is the last."""
    until(lambda: one.hostpool.info().HOST[0].STATE == 2)
    net = one.vn.allocate('NAME="n"\nVN_MAD="bridge"\nAR=[TYPE="IP4",IP="10.9.0.1",SIZE="2"]', 0)
    machine = f'NAME="m"\nCPU="1"\nMEMORY="4"\nNIC=[NETWORK_ID="{net}"]'
    made = [one.vm.allocate(machine, True) for _ in range(2)]
    assert {one.vm.info(vm).TEMPLATE["NIC"]["IP"] for vm in made} == {"10.9.0.1", "10.9.0.2"}
    with pytest.raises(pyone.OneInternalException, match="Cannot get IP/MAC lease"):
        one.vm.allocate(machine, True)
    with pytest.raises(pyone.OneActionException, match="in use"):
        one.vn.delete(net)
    one.vm.action("terminate-hard", made[0])
    again = one.vm.allocate(f'{machine.rstrip("]")},IP="10.9.0.1"]', True)
    assert one.vm.info(again).TEMPLATE["NIC"]["IP"] == "10.9.0.1"


def test_machines_wait_for_room(one: Any) -> None:
    """A machine that finds no room is pending, and says why, until another one ends."""
    until(lambda: one.hostpool.info().HOST[0].STATE == 2)
    cpus = one.hostpool.info().HOST[0].HOST_SHARE.MAX_CPU / 100
    first = one.vm.allocate(f'NAME="big"\nCPU="{cpus}"\nMEMORY="4"')
    until(lambda: one.vm.info(first).LCM_STATE == 3)
    second = one.vm.allocate('NAME="waits"\nCPU="1"\nMEMORY="4"')
    until(lambda: "SCHED_MESSAGE" in one.vm.info(second).USER_TEMPLATE or one.vm.info(second).STATE == 1)
    assert one.vm.info(second).STATE == 1
    one.vm.action("terminate-hard", first)
    until(lambda: one.vm.info(second).LCM_STATE == 3)


def test_wrong_password_and_disabled_user(cloud: Cloud, one: Any, enter: Callable[..., Any]) -> None:
    """Neither gets in."""
    ida = enter("ida", 1)
    with pytest.raises(pyone.OneAuthenticationException):
        pyone.OneServer(cloud.endpoint, session="ida:wrong").user.info(-1)
    one.user.enable(who(ida), False)
    with pytest.raises(pyone.OneAuthenticationException):
        ida.user.info(-1)


def test_passwords_are_not_kept(cloud: Cloud, enter: Callable[..., Any]) -> None:
    """Neither the database nor a document holds a password."""
    ida = enter("ida", 1)
    assert "long password" not in ida.user.info(-1).PASSWORD
    files = [path for path in cloud.settings.state.rglob("*") if path.is_file()]
    assert cloud.settings.state / "state.sqlite" in files
    assert not [path for path in files if b"long password" in path.read_bytes()]
