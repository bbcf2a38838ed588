"""Scheduled actions of virtual machines, and carrying them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.document import ids
from emulator.errors import Refused
from emulator.objects import backup_job, scheduled_action
from emulator.objects.vm_action import ACTIONS, act, require_to

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud, Event
    from emulator.record import Body, Record
    from emulator.registry import Table


def _list(call: Call, vm: Record) -> None:
    numbers = [one.oid for one in scheduled_action.actions_of(call.store, "VM", vm.oid)]
    call.store.edit(vm).body["SCHED_ACTIONS"] = ids(numbers)


def schedadd(call: Call, oid: int, text: str) -> int:
    """Schedule an action."""
    vm = call.get("vm", oid)
    require_to(call, vm, "sched-action")
    number = scheduled_action.add(call, "VM", oid, text, vm.body["STIME"])
    _list(call, vm)
    return number


def schedupdate(call: Call, oid: int, number: int, text: str) -> int:
    """Change a scheduled action."""
    vm = call.get("vm", oid)
    require_to(call, vm, "sched-action")
    return scheduled_action.update(call, number, text, vm.body["STIME"])


def scheddelete(call: Call, oid: int, number: int) -> int:
    """Forget a scheduled action."""
    vm = call.get("vm", oid)
    require_to(call, vm, "sched-action")
    scheduled_action.delete(call, number)
    _list(call, vm)
    return oid


def due(cloud: Cloud, oid: int, _arguments: Body) -> None:
    """The time of a scheduled action has come."""
    action = cloud.store.get("schedaction", oid)
    if action is None:
        return
    if action.body["TYPE"] == "BACKUPJOB":
        _begin_job(cloud, action)
    elif action.body["ACTION"] in ACTIONS:
        _act(cloud, action)


def _begin_job(cloud: Cloud, action: Record) -> None:
    job = cloud.store.get("backupjob", action.body["PARENT_ID"])
    cloud.store.edit(action).body["DONE"] = cloud.clock.seconds()
    if job is not None:
        backup_job.begin(cloud, job)


def _act(cloud: Cloud, action: Record) -> None:
    cloud.store.edit(action).body["DONE"] = cloud.clock.seconds()
    try:
        act(cloud.as_administrator("scheduler"), action.body["ACTION"], action.body["PARENT_ID"])
    except Refused as refused:
        action.body["MESSAGE"] = refused.text


TABLE: Table = {
    "one.vm.schedadd": schedadd,
    "one.vm.schedupdate": schedupdate,
    "one.vm.scheddelete": scheddelete,
}
EVENTS: dict[str, Event] = {"schedule.act": due}
