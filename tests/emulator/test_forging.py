"""A branch's user tries what must not work: more rights, others' things, more than was granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyone
import pytest

from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.cloud import Cloud

GROUP, ALL = 1 << 33, 1 << 34
MACHINES, IMAGES, TEMPLATES, GROUPS = (1 << 36 << bit for bit in (0, 3, 5, 6))
MACHINE = 'NAME="m"\nCPU="1"\nMEMORY="64"'


@pytest.fixture
def branch(one: Any) -> int:
    """A group that may make machines, images and templates, with a network of its own."""
    until(lambda: one.hostpool.info().HOST[0].STATE == 2 and one.datastore.info(1).FREE_MB > 0)
    number: int = one.group.allocate("branch")
    one.vdc.delgroup(0, number)
    one.acl.addrule(f"0x{GROUP | number:x}", f"0x{MACHINES | IMAGES | TEMPLATES | ALL:x}", "0x8")
    return number


@pytest.fixture
def net(one: Any, branch: int) -> int:
    """The branch's network; its members may use it, and no more."""
    number: int = one.vn.allocate('NAME="n"\nVN_MAD="bridge"\nAR=[TYPE="IP4",IP="10.0.0.1",SIZE="8"]', 0)
    one.vn.chown(number, -1, branch)
    one.vn.chmod(number, -1, -1, -1, 1, 0, 0, 0, 0, 0)
    return number


@pytest.fixture
def ida(cloud: Cloud, one: Any, branch: int) -> Any:
    """pyone as a member of the branch."""
    one.user.allocate("ida", "a long password", "core", [branch])
    return pyone.OneServer(cloud.endpoint, session="ida:a long password")


def refused(attempt: Callable[[], Any], words: str = ".") -> None:
    """An attempt ends in OpenNebula's refusal."""
    with pytest.raises(pyone.OneAuthorizationException, match=words):
        attempt()


def test_no_more_rights(one: Any, ida: Any, branch: int) -> None:
    """No rule, no group, no user, no quota, no password but the own."""
    me = ida.user.info(-1).ID
    rule = f"0x{GROUP | branch:x}", f"0x{MACHINES | ALL:x}", "0xf"
    for attempt in (
        lambda: ida.acl.addrule(*rule),
        lambda: ida.acl.delrule(0),
        lambda: ida.user.addgroup(me, 0),
        lambda: ida.user.chgrp(me, 0),
        lambda: ida.user.allocate("eve", "a long password", "core", [0]),
        lambda: ida.user.quota(me, 'VM=[VMS="-2"]'),
        lambda: ida.group.quota(branch, 'VM=[VMS="-2"]'),
        lambda: ida.group.addadmin(branch, me),
        lambda: ida.user.passwd(0, "another password"),
        lambda: ida.user.chauth(0, "core", "another password"),
        lambda: ida.vdc.addgroup(0, branch),
        lambda: ida.host.status(0, 1),
        lambda: ida.cluster.update(0, 'RESERVED_CPU=""', 1),
        lambda: ida.datastore.chmod(1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
        lambda: ida.hook.allocate('NAME="h"\nTYPE="api"\nCALL="one.vm.action"\nCOMMAND="x"'),
        lambda: ida.zone.enable(0, False),
        lambda: ida.system.sqlquery("SELECT 1"),
    ):
        refused(attempt)
    assert [branch] == one.user.info(me).GROUPS.ID


def test_no_other_address(one: Any, ida: Any, net: int) -> None:
    """A lease is of the network's choice or asked for by IP; it is no one else's, and it is not rewritten."""
    first = ida.vm.allocate(f'{MACHINE}\nNIC=[NETWORK_ID="{net}",IP="10.0.0.3"]', True)
    for nic in (f'NETWORK_ID="{net}",IP="10.0.0.3"', f'NETWORK_ID="{net}",IP="10.9.9.9"'):
        with pytest.raises(pyone.OneInternalException, match="Cannot get IP/MAC lease"):
            ida.vm.allocate(f"{MACHINE}\nNIC=[{nic}]", True)
    refused(lambda: ida.vm.allocate(f'{MACHINE}\nNIC=[NETWORK_ID="{net}",MAC="02:00:0a:00:00:05"]'), "attribute MAC")
    refused(lambda: ida.template.allocate(f'NAME="t"\nNIC=[NETWORK_ID="{net}",VLAN_ID="7"]'), "attribute VLAN_ID")
    refused(lambda: ida.vn.hold(net, 'LEASES=[IP="10.0.0.4"]'))
    refused(lambda: ida.vn.release(net, 'LEASES=[IP="10.0.0.3"]'))
    refused(lambda: ida.vn.add_ar(net, 'AR=[TYPE="IP4",IP="10.0.1.1",SIZE="8"]'))
    ida.vm.action("release", first)
    until(lambda: ida.vm.info(first).LCM_STATE == 3)
    refused(lambda: ida.vm.attachnic(first, f'NIC=[NETWORK_ID="{net}",MAC="02:00:0a:00:00:05"]'), "NIC includes")
    ida.vm.updatenic(first, 0, 'NIC=[IP="10.0.0.6",NETWORK_ID="0",AR_ID="7"]')
    until(lambda: ida.vm.info(first).LCM_STATE == 3)
    nic = one.vm.info(first).TEMPLATE["NIC"]
    assert (nic["IP"], nic["AR_ID"]) == ("10.0.0.3", "0")
    assert one.vn.info(net).USED_LEASES == 1


def test_no_networks_of_others(one: Any, ida: Any, net: int) -> None:
    """A network that the branch may not use is attached neither at birth nor later, nor are its security groups."""
    other = one.vn.allocate('NAME="other"\nVN_MAD="bridge"\nAR=[TYPE="IP4",IP="10.7.0.1",SIZE="8"]', 0)
    group = one.secgroup.allocate('NAME="closed"\nRULE=[PROTOCOL="ALL",RULE_TYPE="INBOUND"]')
    vm = ida.vm.allocate(f'{MACHINE}\nNIC=[NETWORK_ID="{net}"]')
    until(lambda: ida.vm.info(vm).LCM_STATE == 3)
    for attempt in (
        lambda: ida.vm.allocate(f'{MACHINE}\nNIC=[NETWORK_ID="{other}"]'),
        lambda: ida.vm.attachnic(vm, f'NIC=[NETWORK_ID="{other}"]'),
        lambda: ida.vm.attachnic(vm, f'NIC=[NETWORK_ID="{net}",SECURITY_GROUPS="{group}"]'),
        lambda: ida.vn.reserve(other, 'SIZE="1"\nNAME="mine"'),
        lambda: ida.vrouter.allocate(f'NAME="r"\nNIC=[NETWORK_ID="{other}"]'),
    ):
        refused(attempt)
    assert one.vn.info(other).USED_LEASES == 0


def test_no_images_of_others(one: Any, ida: Any) -> None:
    """An image of another is neither a disk nor copied, and no path of the front end is read by naming SOURCE."""
    image = one.image.allocate('NAME="theirs"\nTYPE="DATABLOCK"\nSIZE="1"', 1)
    until(lambda: one.image.info(image).STATE == 1)
    vm = ida.vm.allocate(MACHINE)
    until(lambda: ida.vm.info(vm).LCM_STATE == 3)
    for attempt in (
        lambda: ida.vm.allocate(f'{MACHINE}\nDISK=[IMAGE_ID="{image}"]'),
        lambda: ida.vm.attach(vm, f'DISK=[IMAGE_ID="{image}"]'),
        lambda: ida.image.clone(image, "mine", -1),
        lambda: ida.image.persistent(image, True),
        lambda: ida.image.allocate('NAME="s"\nTYPE="OS"\nSOURCE="/etc/shadow"\nFORMAT="raw"\nSIZE="1"', 1),
        lambda: ida.image.delete(image),
    ):
        refused(attempt)


@pytest.mark.parametrize("action", ["chown", "template", "clone"])
def test_no_gift_of_rights(one: Any, ida: Any, branch: int, action: str) -> None:
    """What is given to another, or copied, brings no right with it."""
    number = ida.template.allocate('NAME="t"\nCPU="1"\nMEMORY="64"')
    if action == "chown":
        refused(lambda: ida.template.chown(number, 0, 0))
    elif action == "template":
        with pytest.raises(pyone.OneInternalException, match="restricted attribute MAC"):
            ida.template.update(number, 'NIC=[MAC="02:00:00:00:00:01"]', 1)
    else:
        theirs = one.template.allocate('NAME="theirs"')
        refused(lambda: ida.template.clone(theirs, "mine"))


def test_running_quota_counts_back(one: Any, ida: Any) -> None:
    """A machine that is off leaves its place among those that run; it comes back only where there is room."""
    me = ida.user.info(-1).ID
    one.user.quota(me, 'VM=[RUNNING_VMS="1",VMS="3",CPU="-2",MEMORY="-2"]')
    first = ida.vm.allocate(MACHINE)
    until(lambda: ida.vm.info(first).LCM_STATE == 3)
    refused(lambda: ida.vm.allocate(MACHINE), "limit of 1 reached for RUNNING_VMS")
    ida.vm.action("poweroff", first)
    until(lambda: ida.vm.info(first).STATE == 8)
    second = ida.vm.allocate(MACHINE)
    with pytest.raises(pyone.OneActionException, match="limit of 1 reached for RUNNING_VMS"):
        ida.vm.action("resume", first)
    quota = one.user.info(me).VM_QUOTA.VM[0]
    assert (quota.VMS_USED, quota.RUNNING_VMS_USED) == ("2", "1")
    until(lambda: ida.vm.info(second).LCM_STATE == 3)
    ida.vm.action("terminate-hard", second)
    until(lambda: ida.vm.info(second).STATE == 6)
    ida.vm.action("resume", first)
    until(lambda: ida.vm.info(first).LCM_STATE == 3)


def test_snapshots_count(one: Any, ida: Any, branch: int) -> None:
    """A snapshot takes as much as its disk, where the disk lies, until it is gone."""
    one.datastore.chmod(1, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    me = ida.user.info(-1).ID
    one.user.quota(me, 'DATASTORE=[ID="1",IMAGES="-2",SIZE="25"]\nVM=[SYSTEM_DISK_SIZE="10",VMS="-2"]')
    image = ida.image.allocate('NAME="d"\nTYPE="DATABLOCK"\nSIZE="10"\nPERSISTENT="YES"', 1)
    until(lambda: ida.image.info(image).STATE == 1)
    vm = ida.vm.allocate(f'{MACHINE}\nDISK=[IMAGE_ID="{image}"]\nDISK=[TYPE="fs",SIZE="6",FORMAT="raw"]')
    until(lambda: ida.vm.info(vm).LCM_STATE == 3)
    ida.vm.disksnapshotcreate(vm, 0, "first")
    until(lambda: ida.vm.info(vm).LCM_STATE == 3)
    refused(lambda: ida.vm.disksnapshotcreate(vm, 0, "second"), "limit of 25 reached for SIZE")
    refused(lambda: ida.vm.disksnapshotcreate(vm, 1, "volatile"), "limit of 10 reached for SYSTEM_DISK_SIZE")
    assert one.user.info(me).DATASTORE_QUOTA.DATASTORE[0].SIZE_USED == "20"
    ida.vm.action("terminate-hard", vm)
    until(lambda: ida.vm.info(vm).STATE == 6)
    assert [one_.NAME for one_ in ida.image.info(image).SNAPSHOTS.SNAPSHOT] == ["first"]
    ida.image.snapshotflatten(image, 0)
    until(lambda: ida.image.info(image).STATE == 1)
    assert one.user.info(me).DATASTORE_QUOTA.DATASTORE[0].SIZE_USED == "10"


def test_lock_of_the_archive_holds(one: Any, ida: Any, branch: int) -> None:
    """An administrator's lock is neither taken off nor stepped over by who owns the image."""
    one.datastore.chmod(1, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    image = ida.image.allocate('NAME="archive"\nTYPE="DATABLOCK"\nSIZE="1"\nPERSISTENT="YES"', 1)
    until(lambda: ida.image.info(image).STATE == 1)
    one.image.lock(image, 2, False)
    for attempt in (
        lambda: ida.image.delete(image),
        lambda: ida.image.rename(image, "x"),
        lambda: ida.image.persistent(image, False),
        lambda: ida.image.chown(image, -1, branch),
        lambda: ida.image.update(image, 'A="1"', 1),
        lambda: one.image.delete(image),
    ):
        refused(attempt)
    with pytest.raises(pyone.OneActionException):
        ida.image.unlock(image)
    with pytest.raises(pyone.OneActionException):
        ida.image.lock(image, 3, False)
    vm = ida.vm.allocate(f'{MACHINE}\nDISK=[IMAGE_ID="{image}"]', True)
    assert ida.vm.info(vm).TEMPLATE["DISK"]["IMAGE_ID"] == str(image)


def test_what_another_vdc_holds(cloud: Cloud, one: Any, ida: Any, branch: int, net: int) -> None:
    """Neither networks, datastores nor hosts of another branch's VDC are seen, used, or learned of by their names."""
    other = one.group.allocate("other")
    one.vdc.delgroup(0, other)
    one.user.allocate("eve", "a long password", "core", [other])
    eve = pyone.OneServer(cloud.endpoint, session="eve:a long password")
    one.acl.addrule(f"0x{GROUP | other:x}", f"0x{MACHINES | IMAGES | TEMPLATES | ALL:x}", "0x8")
    for group, datastore in ((branch, "idas"), (other, "eves")):
        vdc = one.vdc.allocate(f'NAME="{datastore}"')
        one.vdc.addgroup(vdc, group)
        number = one.datastore.allocate(f'NAME="{datastore}"\nDS_MAD="fs"\nTM_MAD="local"\nTYPE="IMAGE_DS"')
        one.vdc.adddatastore(vdc, 0, number)
        add, what = (one.vdc.addvnet, net) if group == branch else (one.vdc.addhost, 0)
        add(vdc, 0, what)
    ours = {one_.NAME: one_.ID for one_ in one.datastorepool.info().DATASTORE}
    until(lambda: all(one.datastore.info(ours[name]).FREE_MB > 0 for name in ("idas", "eves")))
    assert [one_.NAME for one_ in ida.datastorepool.info().DATASTORE] == ["idas"]
    assert [one_.NAME for one_ in eve.datastorepool.info().DATASTORE] == ["eves"]
    assert (eve.vnpool.info(-2, -1, -1).VNET, len(ida.vnpool.info(-2, -1, -1).VNET)) == ([], 1)
    image = 'NAME="i"\nTYPE="DATABLOCK"\nSIZE="1"'
    for attempt in (
        lambda: ida.image.allocate(image, ours["eves"]),
        lambda: eve.image.allocate(image, ours["idas"]),
        lambda: eve.vm.allocate(f'{MACHINE}\nNIC=[NETWORK_ID="{net}"]'),
        lambda: eve.vn.info(net),
        lambda: ida.datastore.info(ours["eves"]),
        lambda: eve.group.info(branch),
        lambda: eve.user.info(ida.user.info(-1).ID),
        lambda: ida.vdc.info(100),
    ):
        refused(attempt)
    made = ida.image.allocate(image, ours["idas"])
    assert eve.imagepool.info(-2, -1, -1).IMAGE == []
    refused(lambda: eve.image.info(made))
    assert [group.NAME for group in eve.grouppool.info().GROUP] == ["other"]
