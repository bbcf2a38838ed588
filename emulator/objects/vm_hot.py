"""Changing a virtual machine while it runs, or is powered off: what all such changes have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.errors import Code, Refused
from emulator.objects import vm_failure, vm_history
from emulator.objects.vm_state import ACTIVE, LCM, POWEROFF, RUNNING, set_state, words

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud, Event
    from emulator.record import Body, Record


def is_running(vm: Record) -> bool:
    """Whether it runs."""
    return (vm.state, vm.body["LCM_STATE"]) == (ACTIVE, RUNNING)


def require_state(vm: Record, words_: str, *states: int) -> None:
    """Let a change go on only if the virtual machine runs, or is in one of other states."""
    if not is_running(vm) and not (vm.state in states and vm.state != ACTIVE):
        text = f"{words_}, wrong state {words(vm.state, vm.body['LCM_STATE'])}."
        raise Refused(Code.ACTION, text)


def begin(call: Call, vm: Record, lcm: str, action: int = 0, *, lcm_off: str = "") -> None:
    """Let a virtual machine be under change; the history tells of it at the end, if the change has a number."""
    back = [vm.state, vm.body["LCM_STATE"]]
    word = lcm if is_running(vm) else lcm_off
    if word and vm.state in {ACTIVE, POWEROFF}:
        set_state(call.cloud, vm, ACTIVE, LCM[word])
    caller = call.caller
    who = {"UID": caller.uid, "GID": caller.gid, "REQUEST_ID": call.request_id}
    call.store.edit(vm)
    here = [vm.state, vm.body["LCM_STATE"]]
    call.cloud.later(call.cloud.pace.vm_step_s, "vm.changed", vm.oid, back=back, here=here, action=action, who=who)


def changed(cloud: Cloud, oid: int, arguments: Body) -> None:
    """A change is over."""
    vm = cloud.store.get("vm", oid)
    if vm is None or [vm.state, vm.body["LCM_STATE"]] != arguments["here"]:
        return
    if arguments["action"]:
        note(cloud, vm, arguments["action"], arguments["who"], running=arguments["back"][0] == ACTIVE)
    set_state(cloud, vm, *arguments["back"])
    vm_failure.lose_if_cut(cloud, vm)


def note(cloud: Cloud, vm: Record, action: int, who: Body, *, running: bool) -> None:
    """Close the newest history record with a change, and begin one like it."""
    old = vm_history.last(cloud.store.edit(vm))
    if not old:
        return
    now = cloud.clock.seconds()
    if running:
        vm_history.again(vm, now)
        old["RETIME"] = old["RETIME"] or now
    else:
        vm_history.like(vm, now)
    old.update({"ACTION": action, "ETIME": now, **who})


EVENTS: dict[str, Event] = {"vm.changed": changed}
