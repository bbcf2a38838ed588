"""A host dies and comes back: its state, its machines', and what can be done for them meanwhile."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyone
import pytest

from emulator.clock import WoundClock
from emulator.cloud import Cloud
from emulator.errors import EmulatorError
from emulator.faults import Faults
from emulator.settings import Pace, Settings
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MONITORED, ERROR, DISABLED = 2, 3, 4
PENDING, ACTIVE, DONE, POWEROFF = 1, 3, 6, 8
RUNNING, BOOT_FAILURE, PROLOG_FAILURE, UNKNOWN, MOVE_FAILED = 3, 36, 39, 16, 61
MACHINE = 'NAME="m"\nCPU="1"\nMEMORY="64"'
PACE = Pace(power_s=0.02, host_s=0.02, schedule_s=0.02, retry_placement_s=0.2)


@pytest.fixture
def pair(make_cloud: Callable[..., Cloud]) -> Cloud:
    """A cloud with two hosts; 0 is the first, 1 the second."""
    return make_cloud(hosts=("first", "second"), pace=PACE)


def client(cloud: Cloud) -> Any:
    one = pyone.OneServer(cloud.endpoint, session=cloud.session)
    until(lambda: all(host.STATE == MONITORED for host in one.hostpool.info().HOST))
    return one


def state(one: Any, vm: int) -> tuple[int, int]:
    found = one.vm.info(vm)
    return found.STATE, found.LCM_STATE


def runs_on(one: Any, vm: int) -> int:
    """Waits until a machine runs; its host's id."""
    until(lambda: state(one, vm) == (ACTIVE, RUNNING))
    return int(one.vm.info(vm).HISTORY_RECORDS.HISTORY[-1].HID)


def share(one: Any, host: int) -> tuple[int, list[int]]:
    found = one.host.info(host)
    return found.HOST_SHARE.RUNNING_VMS, list(found.VMS.ID)


def machine_on(one: Any, host: int) -> int:
    """A machine that runs on a host."""
    vm: int = one.vm.allocate(MACHINE, True)
    one.vm.deploy(vm, host)
    assert runs_on(one, vm) == host
    return vm


def test_host_dies_and_comes_back(pair: Cloud) -> None:
    """MONITORED, ERROR with its reason, MONITORED; its machines UNKNOWN, then found powered off; others' untouched."""
    one = client(pair)
    lost, other = machine_on(one, 0), machine_on(one, 1)
    pair.power.cut("first")
    until(lambda: one.host.info(0).STATE == ERROR)
    assert "Error monitoring Host first (0): ssh: connect to host first port 22" in one.host.info(0).TEMPLATE["ERROR"]
    until(lambda: state(one, lost) == (ACTIVE, UNKNOWN))
    assert state(one, other) == (ACTIVE, RUNNING)
    assert share(one, 0) == (1, [lost])
    assert runs_on(one, one.vm.allocate(MACHINE)) == 1  # nothing is placed on a dead host
    pair.power.restore("first")
    until(lambda: one.host.info(0).STATE == MONITORED)
    assert "ERROR" not in one.host.info(0).TEMPLATE
    until(lambda: state(one, lost) == (POWEROFF, 0))
    one.vm.action("resume", lost)
    assert runs_on(one, lost) == 0


def test_monitoring_goes_on(tmp_path: Path) -> None:
    """A host is monitored again and again; while it is dead nothing is added, and afterwards it is again."""
    with Cloud(Settings(state=tmp_path / "cloud", driver="none", port=0), WoundClock()) as cloud:
        one = pyone.OneServer(cloud.endpoint, session=cloud.session)

        def samples_after(seconds: float) -> int:
            until_s = cloud.clock.now() + seconds
            while cloud.advance(until_s - cloud.clock.now()):
                pass
            return len(one.host.monitoring(0).MONITORING)

        first = samples_after(50)
        assert (first, one.host.info(0).STATE) == (3, MONITORED)
        cloud.power.cut("embedded")
        assert samples_after(60) == first
        assert one.host.info(0).STATE == ERROR
        cloud.power.restore("embedded")
        assert samples_after(21) > first
        assert one.host.info(0).STATE == MONITORED


def test_fault_loses_sight_of_a_host(make_cloud: Callable[..., Cloud]) -> None:
    """A host that only cannot be seen for a while has its machines still, and they are found running."""
    pace = Pace(host_s=0.02, host_monitor_s=0.3, vm_step_s=0.01, schedule_s=0.01)
    cloud = make_cloud(hosts=("a-b",), pace=pace)
    one = client(cloud)
    vm = one.vm.allocate(MACHINE)
    assert runs_on(one, vm) == 0
    cloud.faults.add("monitor.a-b:fail")
    until(lambda: one.host.info(0).STATE == ERROR)
    until(lambda: state(one, vm) == (ACTIVE, UNKNOWN))
    cloud.faults = Faults()
    until(lambda: one.host.info(0).STATE == MONITORED)
    assert runs_on(one, vm) == 0


def test_recreated_elsewhere(pair: Cloud) -> None:
    """`recover` as a host failure hook uses it: the machine begins again on the other host, with a new history."""
    one = client(pair)
    vm = machine_on(one, 0)
    pair.power.cut("first")
    until(lambda: state(one, vm) == (ACTIVE, UNKNOWN))
    one.vm.recover(vm, 4)
    until(lambda: state(one, vm) != (ACTIVE, UNKNOWN))
    assert runs_on(one, vm) == 1
    assert [record.HID for record in one.vm.info(vm).HISTORY_RECORDS.HISTORY] == [0, 1]
    assert (share(one, 0), share(one, 1)) == ((0, []), (1, [vm]))
    pair.power.restore("first")
    until(lambda: one.host.info(0).STATE == MONITORED)
    assert state(one, vm) == (ACTIVE, RUNNING)


@pytest.mark.parametrize(("shared", "ends"), [(True, (ACTIVE, RUNNING)), (False, (ACTIVE, MOVE_FAILED))])
def test_rescheduled(pair: Cloud, shared: bool, ends: tuple[int, int]) -> None:
    """`resched` moves a lost machine to the other host where its disks are on shared storage, and else cannot."""
    one = client(pair)
    if shared:
        datastore = one.datastore.allocate('NAME="s"\nTYPE="SYSTEM_DS"\nTM_MAD="shared"')
        one.datastore.delete(0)
    else:
        datastore = 0
    vm = machine_on(one, 0)
    assert datastore == one.vm.info(vm).HISTORY_RECORDS.HISTORY[-1].DS_ID
    pair.power.cut("first")
    until(lambda: state(one, vm) == (ACTIVE, UNKNOWN))
    one.vm.action("resched", vm)
    until(lambda: state(one, vm) == ends)
    assert one.vm.info(vm).HISTORY_RECORDS.HISTORY[-1].HID == 1
    assert one.vm.info(vm).RESCHED == 0
    if not shared:
        pair.power.restore("first")
        until(lambda: one.host.info(0).STATE == MONITORED)
        one.vm.recover(vm, 2)
        assert runs_on(one, vm) == 1


def test_resched_waits_for_a_host(pair: Cloud) -> None:
    """A machine that runs is moved too; it waits until another host can take it."""
    one = client(pair)
    vm = machine_on(one, 0)
    one.host.status(1, 1)
    one.vm.action("resched", vm)
    until(lambda: "SCHED_MESSAGE" in one.vm.info(vm).USER_TEMPLATE)
    assert (one.vm.info(vm).RESCHED, state(one, vm)) == (1, (ACTIVE, RUNNING))
    one.host.status(1, 0)
    until(lambda: one.vm.info(vm).HISTORY_RECORDS.HISTORY[-1].HID == 1)
    assert runs_on(one, vm) == 1


@pytest.mark.parametrize(("action", "ends"), [("terminate", (ACTIVE, UNKNOWN)), ("poweroff-hard", (ACTIVE, UNKNOWN))])
def test_nothing_can_be_told_to_a_dead_host(pair: Cloud, action: str, ends: tuple[int, int]) -> None:
    """What needs the host fails, and says why; deleting without it is what `recover` is for."""
    one = client(pair)
    vm = machine_on(one, 0)
    pair.power.cut("first")
    until(lambda: state(one, vm) == (ACTIVE, UNKNOWN))
    one.vm.action(action, vm)
    until(lambda: "No route to host" in str(one.vm.info(vm).USER_TEMPLATE.get("ERROR")))
    assert state(one, vm) == ends
    one.vm.recover(vm, 3)
    until(lambda: state(one, vm) == (DONE, 0))
    assert share(one, 0) == (0, [])


def test_machine_on_its_way_to_a_dying_host(pair: Cloud) -> None:
    """A machine that is being brought to a host as it dies fails there."""
    one = client(pair)
    vm = one.vm.allocate(MACHINE, True)
    pair.power.cut("second")
    one.vm.deploy(vm, 1)
    until(lambda: state(one, vm) in {(ACTIVE, PROLOG_FAILURE), (ACTIVE, BOOT_FAILURE)})
    assert "No route to host" in one.vm.info(vm).USER_TEMPLATE["ERROR"]


@pytest.mark.parametrize(("fault", "stuck"), [("prolog:fail@1", PROLOG_FAILURE), ("boot:fail@1", BOOT_FAILURE)])
@pytest.mark.parametrize("operation", [1, 2])
def test_recovery_from_a_driver_that_failed(
    make_cloud: Callable[..., Cloud], fault: str, stuck: int, operation: int
) -> None:
    """A failed step is done again, or taken for done."""
    one = client(make_cloud(faults=(fault,), pace=PACE))
    vm = one.vm.allocate(MACHINE)
    until(lambda: state(one, vm) == (ACTIVE, stuck))
    one.vm.recover(vm, 0)
    assert state(one, vm) == (ACTIVE, stuck)
    one.vm.recover(vm, operation)
    assert runs_on(one, vm) == 0


def test_disabled_host_stays_disabled(pair: Cloud) -> None:
    """As OpenNebula has it: the error is written down, and its machines are lost."""
    one = client(pair)
    vm = machine_on(one, 0)
    one.host.status(0, 1)
    pair.power.cut("first")
    until(lambda: state(one, vm) == (ACTIVE, UNKNOWN))
    assert (one.host.info(0).STATE, "ERROR" in one.host.info(0).TEMPLATE) == (DISABLED, True)


def test_hook_of_a_host_failure(make_cloud: Callable[..., Cloud], tmp_path: Path) -> None:
    """The whole road: a host dies, its hook recreates what ran on it, and it runs again elsewhere."""
    scripts = tmp_path / "hooks" / "ft"
    scripts.mkdir(parents=True)
    program = (
        "import base64, os, sys, pyone\nfrom xml.etree import ElementTree as ET\n"
        "host = ET.fromstring(base64.b64decode(sys.stdin.read().split()[0]))\n"
        "assert host.findtext('STATE') == '3'\n"
        "one = pyone.OneServer(os.environ['ONE_XMLRPC'], session=open(os.environ['ONE_AUTH']).read().strip())\n"
        "[one.vm.recover(int(vm.text), 4) for vm in host.findall('VMS/ID')]\n"
    )
    (scripts / "host_error").write_text(f"#!{sys.executable}\n{program}")
    (scripts / "host_error").chmod(0o755)
    cloud = make_cloud(hosts=("first", "second"), pace=PACE, hooks=scripts.parent)
    one = client(cloud)
    hook = one.hook.allocate(
        'NAME="h"\nTYPE="state"\nRESOURCE="HOST"\nSTATE="ERROR"\nCOMMAND="ft/host_error"\nARGUMENTS="$TEMPLATE -r"'
        '\nARGUMENTS_STDIN="yes"'
    )
    vms = [machine_on(one, 0) for _ in range(2)]
    cloud.power.cut("first")
    until(lambda: one.hook.info(hook).HOOKLOG.HOOK_EXECUTION_RECORD)
    assert one.hook.info(hook).HOOKLOG.HOOK_EXECUTION_RECORD[0].EXECUTION_RESULT.CODE == "0"
    until(lambda: all(one.vm.info(vm).HISTORY_RECORDS.HISTORY[-1].HID == 1 for vm in vms))
    assert {runs_on(one, vm) for vm in vms} == {1}


def test_remote_hook_of_a_dead_host(make_cloud: Callable[..., Cloud], tmp_path: Path) -> None:
    """A remote command runs on the host; a dead one does not answer."""
    (tmp_path / "hooks").mkdir()
    cloud = make_cloud(pace=PACE, hooks=tmp_path / "hooks")
    one = client(cloud)
    hook = one.hook.allocate('NAME="h"\nTYPE="state"\nRESOURCE="HOST"\nSTATE="ERROR"\nCOMMAND="x"\nREMOTE="yes"')
    cloud.power.cut("embedded")
    until(lambda: one.hook.info(hook).HOOKLOG.HOOK_EXECUTION_RECORD)
    record = one.hook.info(hook).HOOKLOG.HOOK_EXECUTION_RECORD[0]
    assert (record.EXECUTION_RESULT.CODE, record.REMOTE_HOST) == ("255", "embedded")
    assert record.EXECUTION_RESULT.COMMAND == "/var/tmp/one/hooks/x"


def test_dead_host_survives_a_restart(tmp_path: Path) -> None:
    """A host that is dead when the cloud stops is dead when it starts, and so are its machines."""
    settings = Settings(state=tmp_path / "cloud", driver="none", port=0, pace=PACE)
    with Cloud(settings) as cloud:
        one = client(cloud)
        vm = machine_on(one, 0)
        cloud.power.cut("embedded")
        until(lambda: state(one, vm) == (ACTIVE, UNKNOWN))
    with Cloud(settings) as cloud:
        one = pyone.OneServer(cloud.endpoint, session=cloud.session)
        assert (one.host.info(0).STATE, state(one, vm)) == (ERROR, (ACTIVE, UNKNOWN))
        cloud.power.restore("embedded")
        until(lambda: one.host.info(0).STATE == MONITORED)
        until(lambda: state(one, vm) == (POWEROFF, 0))


def test_power_from_the_command_line(pair: Cloud) -> None:
    """Another process cuts the power and restores it; a host or a cloud that is not there is said."""
    one = client(pair)
    place = pair.settings.state

    def gurney(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli", "emulator", "--state", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert gurney(str(place), "--cut-power", "second").returncode == 0
    until(lambda: one.host.info(1).STATE == ERROR)
    assert gurney(str(place), "--restore-power", "second").returncode == 0
    until(lambda: one.host.info(1).STATE == MONITORED)
    wrong = gurney(str(place), "--cut-power", "third")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (9, 1)
    assert "has no host 'third'; it has first, second" in wrong.stderr
    assert "holds no embedded cloud" in gurney(str(place.parent), "--cut-power", "first").stderr
    with pytest.raises(EmulatorError, match="has no host"):
        pair.power.restore("../state.sqlite")
