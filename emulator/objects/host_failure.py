"""What becomes of the virtual machines of a host that dies, and of one that comes back.

References: OpenNebula src/im/InformationManager.cc `_host_state`, `test_and_trigger`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.objects import vm_guest
from emulator.objects.vm_failure import lose
from emulator.objects.vm_flow import keep_monitored, start_flow
from emulator.objects.vm_guest import GONE
from emulator.objects.vm_state import ACTIVE, RUNNING, UNKNOWN, set_state

if TYPE_CHECKING:
    from emulator.cloud import Cloud
    from emulator.record import Record

NO_ROUTE = "ssh: connect to host {} port 22: No route to host"


def reason(cloud: Cloud, host: Record) -> str:
    """Why a host cannot be monitored, "" where it can: it has no power, or `--fault` says so."""
    struck = "fail" in cloud.faults.strike(f"monitor.{host.name}")
    return NO_ROUTE.format(host.name) if struck or cloud.power.is_cut(host.name) else ""


def machines(cloud: Cloud, host: Record) -> list[Record]:
    """The virtual machines that are counted to a host."""
    found = (cloud.store.get("vm", oid) for oid in host.body["VMS"].get("ID", []))
    return [vm for vm in found if vm is not None]


def lose_machines(cloud: Cloud, host: Record) -> None:
    """Those that ran are UNKNOWN; without power their guests are gone too."""
    cut = cloud.power.is_cut(host.name)
    for vm in machines(cloud, host):
        if cut and not vm.hidden.get(GONE):
            cloud.store.edit(vm).hidden[GONE] = True
            vm_guest.stop(cloud, vm, hard=True)
        lose(cloud, vm)


def find_machines(cloud: Cloud, host: Record) -> None:
    """Those that were UNKNOWN run, or are found powered off where nothing of them is left."""
    for vm in machines(cloud, host):
        gone = vm.hidden.get(GONE, False)
        if gone:
            del cloud.store.edit(vm).hidden[GONE]
        if (vm.state, vm.body["LCM_STATE"]) != (ACTIVE, UNKNOWN):
            continue
        if gone:
            start_flow(cloud, vm, "poweroff", hard=True)
        else:
            set_state(cloud, vm, ACTIVE, RUNNING)
            keep_monitored(cloud, vm)
