"""Helping virtual machines that are stuck: `one.vm.recover`.

References: OpenNebula src/dm/DispatchManagerActions.cc `recover`, src/lcm/LifeCycleActions.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.errors import Code, Refused
from emulator.objects import vm_history
from emulator.objects.vm_action import require_to
from emulator.objects.vm_flow import complete, count_running, finish, start_flow
from emulator.objects.vm_state import (
    ACTIVE,
    DONE,
    FLOWS,
    HOLD,
    LCM_WORDS,
    PENDING,
    POWEROFF,
    STOPPED,
    SUSPENDED,
    UNDEPLOYED,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.call import Call
    from emulator.record import Record
    from emulator.registry import Table

# In which step of what a virtual machine is stuck.
FAILED = {
    "PROLOG_FAILURE": ("deploy", 1),
    "BOOT_FAILURE": ("deploy", 2),
    "EPILOG_FAILURE": ("terminate", 1),
    "EPILOG_STOP_FAILURE": ("stop", 1),
    "EPILOG_UNDEPLOY_FAILURE": ("undeploy", 1),
    "PROLOG_MIGRATE_FAILURE": ("migrate", 1),
    "BOOT_MIGRATE_FAILURE": ("migrate", 2),
    "PROLOG_MIGRATE_UNKNOWN_FAILURE": ("migrate_unknown", 0),
}


def _recover_failure(call: Call, vm: Record) -> None:
    """What failed has failed already."""
    del call, vm


def _recover_success(call: Call, vm: Record) -> None:
    """Take a failed step for done."""
    flow, step = FAILED.get(_failure_of(vm), ("", 0))
    if flow and step + 1 < len(FLOWS[flow].steps):
        start_flow(call.cloud, vm, flow, first_step=step + 1)
    elif flow:
        complete(call.cloud, call.store.edit(vm), flow)


def _recover_retry(call: Call, vm: Record) -> None:
    """Do a failed step again."""
    flow, step = FAILED.get(_failure_of(vm), ("", 0))
    if flow:
        vm_history.last(call.store.edit(vm))["RETIME"] = 0
        start_flow(call.cloud, vm, flow, first_step=step)


def _failure_of(vm: Record) -> str:
    return LCM_WORDS[vm.body["LCM_STATE"]] if vm.state == ACTIVE else ""


def _recover_delete(call: Call, vm: Record) -> None:
    if vm.state in {PENDING, HOLD, STOPPED, UNDEPLOYED}:
        finish(call.cloud, vm)
    elif vm.state in {POWEROFF, SUSPENDED}:
        vm_history.note(call, call.store.edit(vm), "delete")
        complete(call.cloud, vm, "cleanup")
    elif vm.state != DONE:
        vm_history.note(call, call.store.edit(vm), "delete")
        start_flow(call.cloud, vm, "cleanup", hard=True)


def _recover_recreate(call: Call, vm: Record) -> None:
    if vm.state not in {PENDING, HOLD, DONE}:
        count_running(call.cloud, vm)
        vm_history.note(call, call.store.edit(vm), "delete-recreate")
        start_flow(call.cloud, vm, "resubmit", hard=True)


RECOVERIES: dict[int, Callable[[Call, Record], None]] = {
    0: _recover_failure,
    1: _recover_success,
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


TABLE: Table = {"one.vm.recover": recover}
