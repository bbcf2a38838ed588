"""What can be done to a virtual machine: `one.vm.action`.

References: OpenNebula src/dm/DispatchManagerActions.cc, src/rm/api/VirtualMachineAPI.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.access import Want, require
from emulator.acl import ADMIN, MANAGE, USE
from emulator.errors import Code, Refused
from emulator.objects import vm_history
from emulator.objects.vm_flow import count_running, finish, start_flow
from emulator.objects.vm_state import (
    ACTIVE,
    DONE,
    HOLD,
    LCM,
    LCM_WORDS,
    PENDING,
    POWEROFF,
    RUNNING,
    STOPPED,
    SUSPENDED,
    UNDEPLOYED,
    UNKNOWN,
    set_state,
    words,
)

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Record
    from emulator.registry import Table

Place = tuple[int, int]
RUNS, LOST = (ACTIVE, RUNNING), (ACTIVE, UNKNOWN)
SHUTDOWN = LCM["SHUTDOWN"]


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
    "resched": Action(_places(RUNS, LOST, (POWEROFF, 0)), flag=1, noted=False),
    "unresched": Action(_places(RUNS, LOST, (POWEROFF, 0)), flag=0, noted=False),
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
        if action.flag:
            cloud.schedule_soon()
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
    count_running(cloud, call.store.edit(vm))
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
    """End a virtual machine; one that has failed is only cleaned up after, and loses what its host has of its disks."""
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
    elif vm.body["LCM_STATE"] in {RUNNING, UNKNOWN} or (hard and vm.body["LCM_STATE"] == SHUTDOWN):
        start_flow(cloud, vm, "terminate", hard=hard)
    elif LCM_WORDS[vm.body["LCM_STATE"]].endswith("_FAILURE"):
        start_flow(cloud, vm, "cleanup", hard=True)
    else:
        raise unavailable(vm, name)


TABLE: Table = {"one.vm.action": act}
