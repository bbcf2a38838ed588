"""The scheduler's round: virtual machines that wait for a host get one, and those to be rescheduled another.

References: OpenNebula src/schedm/SchedulerManagerDriver.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.objects import vm_history
from emulator.objects.placement import host_for, place
from emulator.objects.vm_action import LOST, RUNS
from emulator.objects.vm_migrate import move
from emulator.objects.vm_state import PENDING, POWEROFF

if TYPE_CHECKING:
    from emulator.cloud import Cloud, Event
    from emulator.record import Body, Record

MOVABLE = {RUNS, LOST, (POWEROFF, 0)}


def placed(cloud: Cloud, _oid: int, _arguments: Body) -> None:
    """Look for a place for every virtual machine that waits, or is to leave its host."""
    machines = cloud.store.all("vm")
    waiting = [vm for vm in machines if vm.state == PENDING]
    leaving = [vm for vm in machines if vm.body["RESCHED"] and (vm.state, vm.body["LCM_STATE"]) in MOVABLE]
    left = [vm for vm in waiting if not place(cloud, vm)] + [vm for vm in leaving if not reschedule(cloud, vm)]
    if left:
        cloud.later(cloud.pace.retry_placement_s, "schedule", 0)


def reschedule(cloud: Cloud, vm: Record) -> bool:
    """Move a virtual machine to another host that knows its system datastore; whether there was one."""
    host = host_for(cloud, vm)
    datastore = cloud.store.get("datastore", vm_history.last(vm).get("DS_ID", -1))
    if host is None or datastore is None or host.body["CLUSTER_ID"] not in datastore.body["CLUSTERS"].get("ID", []):
        return False
    vm.body["USER_TEMPLATE"].pop("SCHED_MESSAGE", None)
    move(cloud.as_administrator("one.vm.migrate"), vm, host, datastore, "migrate", vm_history.BY_SCHEDULER)
    return True


EVENTS: dict[str, Event] = {"schedule": placed}
