"""What can be done to a virtual machine: `one.vm.action`, `one.vm.migrate`, `one.vm.recover`.

References: OpenNebula src/dm/DispatchManagerActions.cc, src/rm/api/VirtualMachineAPI.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.access import Want, require
from emulator.acl import ADMIN, MANAGE, USE
from emulator.errors import Code, Refused
from emulator.objects import vm_guest, vm_history
from emulator.objects.host_share import occupy
from emulator.objects.placement import check_cluster, check_room
from emulator.objects.vm import capacity
from emulator.objects.vm_flow import finish, leave_host, set_state, start_flow
from emulator.objects.vm_state import (
    ACTIVE,
    BOOT_FAILURE,
    DONE,
    HOLD,
    PENDING,
    POWEROFF,
    RUNNING,
    STOPPED,
    SUSPENDED,
    UNDEPLOYED,
    UNKNOWN,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.call import Call
    from emulator.record import Record
    from emulator.registry import Table

Place = tuple[int, int]
RUNS, LOST = (ACTIVE, RUNNING), (ACTIVE, UNKNOWN)


@dataclass(frozen=True)
class Action:
    """An action: from which states (STATE, LCM_STATE) it is possible, and what it does.

    `flow` is what the virtual machine goes through; `to` the state that it takes at once instead.
    `flag` is what RESCHED becomes.
    """

    places: frozenset[Place]
    flow: str = ""
    to: int | None = None
    hard: bool = False
    flag: int | None = None
    noted: bool = True


def _places(*places: Place) -> frozenset[Place]:
    return frozenset(places)


STOPPING = _places(RUNS, LOST)
ACTIONS: dict[str, Action] = {
    "poweroff": Action(STOPPING, "poweroff"),
    "poweroff-hard": Action(STOPPING, "poweroff", hard=True),
    "suspend": Action(_places(RUNS), "suspend"),
    "stop": Action(_places(RUNS, (SUSPENDED, 0)), "stop"),
    "undeploy": Action(_places(RUNS, LOST, (POWEROFF, 0)), "undeploy"),
    "undeploy-hard": Action(_places(RUNS, LOST, (POWEROFF, 0)), "undeploy", hard=True),
    "reboot": Action(_places(RUNS), "reboot", noted=False),
    "reboot-hard": Action(_places(RUNS), "reboot", hard=True, noted=False),
    "hold": Action(_places((PENDING, 0)), to=HOLD, noted=False),
    "release": Action(_places((HOLD, 0)), to=PENDING, noted=False),
    "resched": Action(_places(RUNS, (POWEROFF, 0)), flag=1, noted=False),
    "unresched": Action(_places(RUNS, (POWEROFF, 0)), flag=0, noted=False),
    "resume": Action(
        _places(LOST, (POWEROFF, 0), (SUSPENDED, 0), (STOPPED, 0), (UNDEPLOYED, 0)), "resume", noted=False
    ),
    "terminate": Action(_places(), "terminate"),
    "terminate-hard": Action(_places(), "terminate", hard=True),
}
RESUMES = {POWEROFF: "boot_poweroff", SUSPENDED: "boot_suspended"}
# Actions that OpenNebula's configuration calls differently.
OPERATIONS = {"terminate-hard": "terminate", "poweroff-hard": "poweroff", "undeploy-hard": "undeploy"}
OPERATIONS |= {"reboot-hard": "reboot", "unresched": "resched"}


def right_to(call: Call, operation: str) -> int:
    """USE, MANAGE or ADMIN: what the configuration asks for an operation."""
    for right, key in ((ADMIN, "VM_ADMIN_OPERATIONS"), (USE, "VM_USE_OPERATIONS")):
        listed = {one.strip() for one in call.cloud.configuration.text(key).split(",")}
        if operation in listed:
            return right
    return MANAGE


def require_to(call: Call, vm: Record, operation: str) -> None:
    """Let a call go on only if its caller may do the operation."""
    require(call, Want(right_to(call, operation), "vm", vm))


def act(call: Call, name: str, oid: int) -> int:
    """Do something to a virtual machine."""
    vm = call.get("vm", oid)
    require_to(call, vm, OPERATIONS.get(name, name))
    action = ACTIONS.get(name)
    if action is None:
        raise Refused(Code.ACTION, f'Action "{name}" is not supported')
    place = (vm.state, vm.body["LCM_STATE"])
    if action.flow == "terminate":
        terminate(call, vm, name, hard=action.hard)
        return oid
    if place not in action.places:
        raise unavailable(vm, name)
    if action.noted:
        vm_history.note(call, call.store.edit(vm), name)
    _do(call, vm, action)
    return oid


def unavailable(vm: Record, name: str) -> Refused:
    """That an action is not possible now."""
    state = words(vm.state, vm.body["LCM_STATE"])
    return Refused(Code.ACTION, f'Error performing action "{name}": This action is not available for state {state}')


def _do(call: Call, vm: Record, action: Action) -> None:
    cloud = call.cloud
    if action.flag is not None:
        call.store.edit(vm).body["RESCHED"] = action.flag
    elif action.to is not None:
        set_state(cloud, vm, action.to)
        if action.to == PENDING:
            cloud.schedule_soon()
    elif action.flow == "resume":
        _resume(call, vm)
    elif vm.state == ACTIVE:
        start_flow(cloud, vm, action.flow, hard=action.hard)
    else:
        start_flow(cloud, vm, action.flow, first_step=1)


def _resume(call: Call, vm: Record) -> None:
    cloud = call.cloud
    call.store.edit(vm)
    if vm.state in RESUMES:
        vm_history.again(vm, cloud.clock.seconds())
        start_flow(cloud, vm, RESUMES[vm.state])
    elif vm.state == ACTIVE:
        start_flow(cloud, vm, "boot_unknown")
    else:
        requirement = f'(TM_MAD = "{vm_history.last(vm)["TM_MAD"]}")'
        old = vm.attribute("AUTOMATIC_DS_REQUIREMENTS")
        if requirement not in old:
            vm.template["AUTOMATIC_DS_REQUIREMENTS"] = [f"{old} & {requirement}" if old else requirement]
        set_state(cloud, vm, PENDING)
        cloud.schedule_soon()


def terminate(call: Call, vm: Record, name: str, *, hard: bool) -> None:
    """End a virtual machine from whatever state it is in."""
    cloud, state = call.cloud, vm.state
    if state == DONE:
        return
    if state in {PENDING, HOLD}:
        finish(cloud, vm)
        return
    call.store.edit(vm)
    vm_history.note(call, vm, name)
    if state in {STOPPED, UNDEPLOYED}:
        finish(cloud, vm)
    elif state in {POWEROFF, SUSPENDED}:
        start_flow(cloud, vm, "terminate", hard=hard, first_step=1)
    elif vm.body["LCM_STATE"] in {RUNNING, UNKNOWN, BOOT_FAILURE}:
        start_flow(cloud, vm, "terminate", hard=hard)
    else:
        raise unavailable(vm, name)


def migrate(
    call: Call,
    oid: int,
    host_id: int,
    live: bool = False,
    enforce: bool = False,
    datastore_id: int = -1,
    kind: int = 0,
) -> int:
    """Move a virtual machine to another host; kind 0 saves it, 1 powers it off, 2 does so hard."""
    vm, host = call.get("vm", oid), call.get("host", host_id)
    datastore = call.get("datastore", datastore_id) if datastore_id >= 0 else None
    require(call, Want(right_to(call, "migrate"), "vm", vm), Want(MANAGE, "host", host))
    if (vm.state, vm.body["LCM_STATE"]) not in {RUNS, LOST, (POWEROFF, 0), (SUSPENDED, 0)}:
        state = words(vm.state, vm.body["LCM_STATE"])
        raise Refused(Code.ACTION, f"Migrate action is not available for state {state}")
    record = vm_history.last(vm)
    target = datastore or call.get("datastore", record["DS_ID"])
    check_cluster(vm, host, "migrate")
    if record["HID"] == host_id and record["DS_ID"] == target.oid:
        text = f"VM is already running on host [{host_id}] and datastore [{target.oid}]"
        raise Refused(Code.ACTION, text)
    if enforce:
        check_room(vm, host)
    _move(call, vm, host, target, _migration(live=live, kind=kind))
    return oid


def _migration(*, live: bool, kind: int) -> str:
    if live:
        return "live-migrate"
    return {1: "poweroff-hard-migrate", 2: "poweroff-hard-migrate"}.get(kind, "migrate")


def _move(call: Call, vm: Record, host: Record, datastore: Record, action: str) -> None:
    cloud, now = call.cloud, call.cloud.clock.seconds()
    call.store.edit(vm).body["RESCHED"] = 0
    vm_history.note(call, vm, action)
    old = vm_history.last(vm)
    old.update({"ETIME": now, "RETIME": old["RETIME"] or now})
    leave_host(cloud, vm)
    was_off = vm.state != ACTIVE
    live = action == "live-migrate"
    fresh = vm_history.begin(vm, host, datastore, now, vm_history.BY_CALLER, prolog=not live)
    fresh.update({"PETIME": 0 if live else now, "RSTIME": 0 if was_off else now})
    occupy(call.store, host, vm.oid, *capacity(vm.template))
    if was_off:
        return
    if action == "poweroff-hard-migrate":
        vm.body["DEPLOY_ID"] = vm_guest.deploy_id(cloud, vm)
    if action == "migrate":  # as long as it is under way, the new record tells of it too
        fresh.update({key: old[key] for key in ("ACTION", "UID", "GID", "REQUEST_ID")})
    flow = "live_migrate" if live else "migrate"
    start_flow(cloud, vm, flow)


def _recover_failure(call: Call, vm: Record) -> None:
    del call, vm


def _recover_retry(call: Call, vm: Record) -> None:
    if vm.body["LCM_STATE"] == BOOT_FAILURE and vm.state == ACTIVE:
        vm_history.last(call.store.edit(vm))["RETIME"] = 0
        start_flow(call.cloud, vm, "deploy", first_step=2)


def _recover_delete(call: Call, vm: Record) -> None:
    if vm.state in {PENDING, HOLD, STOPPED, UNDEPLOYED}:
        finish(call.cloud, vm)
    elif vm.state != DONE:
        vm_history.note(call, call.store.edit(vm), "delete")
        start_flow(call.cloud, vm, "cleanup", hard=True)


def _recover_recreate(call: Call, vm: Record) -> None:
    if vm.state not in {PENDING, HOLD, DONE}:
        vm_history.note(call, call.store.edit(vm), "delete-recreate")
        start_flow(call.cloud, vm, "resubmit", hard=True)


RECOVERIES: dict[int, Callable[[Call, Record], None]] = {
    0: _recover_failure,
    1: _recover_failure,
    2: _recover_retry,
    3: _recover_delete,
    4: _recover_recreate,
}


def recover(call: Call, oid: int, operation: int) -> int:
    """Recover a virtual machine that is stuck: fail (0), succeed (1), retry (2), delete (3), recreate (4)."""
    vm = call.get("vm", oid)
    require_to(call, vm, "recover")
    if operation not in RECOVERIES:
        raise Refused(Code.ACTION, "Wrong recovery operation code")
    RECOVERIES[operation](call, vm)
    return oid


TABLE: Table = {"one.vm.action": act, "one.vm.migrate": migrate, "one.vm.recover": recover}
