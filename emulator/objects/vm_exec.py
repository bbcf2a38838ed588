"""Commands that the guest agent of a virtual machine runs. No agent is there: a command waits until it is cancelled.

References: OpenNebula src/dm/DispatchManagerActions.cc `exec`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.errors import Code, Refused
from emulator.objects import vm_hot
from emulator.objects.vm_action import require_to
from emulator.objects.vm_hot import require_state
from emulator.template import vectors

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Record
    from emulator.registry import Table

EXEC, RETRY, CANCEL = 61, 62, 63
KEY = "QEMU_GA_EXEC"


def _begun(call: Call, oid: int) -> tuple[Record, dict[str, str]]:
    vm = call.get("vm", oid)
    require_to(call, vm, "exec")
    require_state(vm, f"Could not execute command for VM {oid}")
    return vm, next(iter(vectors(vm.template, KEY)), {})


def _note(call: Call, vm: Record, action: int) -> None:
    caller = call.caller
    who = {"UID": caller.uid, "GID": caller.gid, "REQUEST_ID": call.request_id}
    vm_hot.note(call.cloud, vm, action, who, running=True)


def execute(call: Call, oid: int, command: str, stdin: str = "") -> int:
    """Run a command."""
    vm, last = _begun(call, oid)
    if last.get("STATUS") == "EXECUTING":
        raise Refused(Code.ACTION, "Could not execute command, a command is already being executed")
    vm.template[KEY] = [{"COMMAND": command, "STATUS": "EXECUTING", "STDIN": stdin}]
    _note(call, vm, EXEC)
    return oid


def retry(call: Call, oid: int) -> int:
    """Run the last command again."""
    vm, last = _begun(call, oid)
    if last.get("STATUS") == "EXECUTING":
        raise Refused(Code.ACTION, "Could not execute command, a command is already being executed")
    if not last:
        raise Refused(Code.ACTION, "Could not retry command, no command was executed")
    last["STATUS"] = "EXECUTING"
    _note(call, vm, RETRY)
    return oid


def cancel(call: Call, oid: int) -> int:
    """Give the running command up."""
    vm, last = _begun(call, oid)
    if last.get("STATUS") != "EXECUTING":
        raise Refused(Code.ACTION, "Could not cancel command, no command is being executed")
    last["STATUS"] = "CANCELLED"
    _note(call, vm, CANCEL)
    return oid


TABLE: Table = {"one.vm.exec": execute, "one.vm.retryexec": retry, "one.vm.cancelexec": cancel}
