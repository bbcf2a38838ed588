"""Moving virtual machines to other hosts: `one.vm.migrate`.

References: OpenNebula src/lcm/LifeCycleActions.cc `trigger_migrate`, src/rm/api/VirtualMachineAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import Want, require
from emulator.acl import MANAGE
from emulator.errors import Code, Refused
from emulator.objects import cluster_quota, vm_guest, vm_history
from emulator.objects.host_share import occupy
from emulator.objects.placement import check_cluster, check_room
from emulator.objects.vm import capacity
from emulator.objects.vm_action import LOST, RUNS, right_to
from emulator.objects.vm_disk_change import is_shared
from emulator.objects.vm_flow import leave_host, start_flow
from emulator.objects.vm_state import ACTIVE, POWEROFF, SUSPENDED, UNKNOWN, words
from emulator.template import vectors

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Record
    from emulator.registry import Table


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
    if live and any(is_shared(disk) for disk in vectors(vm.template, "DISK")):
        raise Refused(Code.ACTION, "VM with FILESYSTEM disks cannot be live-migrated")
    record = vm_history.last(vm)
    target = datastore or call.get("datastore", record["DS_ID"])
    check_cluster(vm, host, "migrate")
    if record["HID"] == host_id and record["DS_ID"] == target.oid:
        text = f"VM is already running on host [{host_id}] and datastore [{target.oid}]"
        raise Refused(Code.ACTION, text)
    if enforce:
        check_room(vm, host)
    cluster_quota.enter(call.store, vm, host.body["CLUSTER_ID"])
    move(call, vm, host, target, _migration(live=live, kind=kind))
    return oid


def _migration(*, live: bool, kind: int) -> str:
    if live:
        return "live-migrate"
    return {1: "poweroff-hard-migrate", 2: "poweroff-hard-migrate"}.get(kind, "migrate")


def move(
    call: Call, vm: Record, host: Record, datastore: Record, action: str, plan: tuple[int, int] = vm_history.BY_CALLER
) -> None:
    """Set a virtual machine on its way to another host; from one that is lost it boots anew there."""
    cloud, now = call.cloud, call.cloud.clock.seconds()
    call.store.edit(vm).body["RESCHED"] = 0
    vm_history.note(call, vm, action)
    old = vm_history.last(vm)
    old.update({"ETIME": now, "RETIME": old["RETIME"] or now})
    leave_host(cloud, vm)
    was_off, was_lost = vm.state != ACTIVE, vm.body["LCM_STATE"] == UNKNOWN
    live = action == "live-migrate"
    fresh = vm_history.begin(vm, host, datastore, now, plan, prolog=not live)
    fresh.update({"PETIME": 0 if live else now, "RSTIME": 0 if was_off or was_lost else now})
    occupy(call.store, host, vm.oid, *capacity(vm.template))
    if was_off:
        return
    if action == "poweroff-hard-migrate":
        vm.body["DEPLOY_ID"] = vm_guest.deploy_id(cloud, vm)
    if action == "migrate":  # as long as it is under way, the new record tells of it too
        fresh.update({key: old[key] for key in ("ACTION", "UID", "GID", "REQUEST_ID")})
    flow = "live_migrate" if live else "migrate"
    start_flow(cloud, vm, "migrate_unknown" if was_lost else flow)


TABLE: Table = {"one.vm.migrate": migrate}
