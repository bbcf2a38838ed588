"""Virtual machines on their way from state to state: each step is an event, so a restart goes on from where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import quota
from emulator.errors import Code, Refused
from emulator.objects import scheduled_action, vm_disk, vm_failure, vm_group, vm_guest, vm_history, vm_nic
from emulator.objects.host_share import vacate
from emulator.objects.vm import capacity
from emulator.objects.vm_state import (
    ACTIVE,
    DONE,
    FLOWS,
    LCM,
    PENDING,
    POWEROFF,
    RUNNING,
    STOPPED,
    SUSPENDED,
    UNDEPLOYED,
    WITH_GUEST,
    set_state,
)
from emulator.template import vectors

if TYPE_CHECKING:
    from emulator.cloud import Cloud, Event
    from emulator.objects.vm_state import Flow
    from emulator.record import Body, Record

NOT_RUNNING = {STOPPED, SUSPENDED, POWEROFF, UNDEPLOYED}
#: The ACTIVE states from which a VM's disks have been carried back to their images when it is over.
CARRIED_BACK = {LCM["EPILOG"], LCM["EPILOG_FAILURE"]}
BASE_PORT = 5900
PORTS = 65536 - BASE_PORT


def start_flow(cloud: Cloud, vm: Record, name: str, *, hard: bool = False, first_step: int = 0) -> None:
    """Set a virtual machine on its way."""
    flow = FLOWS[name]
    cloud.store.remove_events("vm.step", vm.oid)
    if flow.stops_guest and not flow.starts_guest:
        vm_history.last(vm)["RETIME"] = vm_history.last(vm).get("RETIME") or cloud.clock.seconds()
    if flow.stops_guest:
        vm_guest.stop(cloud, vm, hard=hard)
    _enter(cloud, vm, name, first_step, hard=hard)


def _enter(cloud: Cloud, vm: Record, name: str, step: int, *, hard: bool) -> None:
    flow = FLOWS[name]
    word = flow.steps[step]
    set_state(cloud, vm, ACTIVE, LCM[word] if word != "LCM_INIT" else 0)
    _entered(cloud, vm, flow, word)
    cloud.later(cloud.pace.vm_step_s, "vm.step", vm.oid, flow=name, step=step, hard=hard)


def _entered(cloud: Cloud, vm: Record, flow: Flow, word: str) -> None:
    record, now = vm_history.last(vm), cloud.clock.seconds()
    if word == "PROLOG":
        record.update({"STIME": record["STIME"] or now, "PSTIME": now})
    elif word == "BOOT":
        record["PETIME"] = now
    if word.startswith("BOOT"):
        record["RSTIME"] = record["RSTIME"] or now
    if flow.starts_guest and (word.startswith("BOOT") or word == flow.steps[-1]):
        _add_port(vm)
        vm_guest.start(cloud, vm)
    if flow.epilog and (word.startswith("EPILOG") or word == "SHUTDOWN"):
        record["ESTIME"] = record["ESTIME"] or now


def prepare(vm: Record) -> None:
    """Say what a host has to know: which driver its disks need, which port its console has."""
    vm.template["TM_MAD_SYSTEM"] = [vm_history.last(vm)["TM_MAD"]]
    _add_port(vm)


def _add_port(vm: Record) -> None:
    for graphics in vectors(vm.template, "GRAPHICS"):
        graphics.setdefault("PORT", str(BASE_PORT + vm.oid % PORTS))


def stepped(cloud: Cloud, oid: int, arguments: Body) -> None:
    """A step is over: go on, or wait for the guest."""
    vm = cloud.store.get("vm", oid)
    if vm is None or vm.state != ACTIVE:
        return
    name, step, hard = arguments["flow"], arguments["step"], arguments["hard"]
    flow = FLOWS[name]
    word = flow.steps[step]
    if flow.stops_guest and step == 0 and vm_guest.is_there(cloud, vm) and not flow.starts_guest:
        cloud.later(cloud.pace.poll_s, "vm.step", oid, **arguments)
        return
    if flow.starts_guest and vm_guest.is_starting(cloud, vm):
        cloud.later(cloud.pace.poll_s, "vm.step", oid, **arguments)
        return
    mishap = vm_failure.mishap(cloud, vm, word)
    if mishap:
        vm_failure.fail(cloud, vm, word, mishap)
        return
    if step + 1 < len(flow.steps):
        _enter(cloud, vm, name, step + 1, hard=hard)
    else:
        complete(cloud, vm, name)


def complete(cloud: Cloud, vm: Record, name: str) -> None:
    """A virtual machine has arrived."""
    flow = FLOWS[name]
    record, now = vm_history.last(vm), cloud.clock.seconds()
    if flow.epilog:
        record.update({"ESTIME": record["ESTIME"] or now, "EETIME": now})
    if flow.closes:
        record["ETIME"] = now
        record["RETIME"] = record["RETIME"] or (now if record["RSTIME"] else 0)
    if flow.leaves:
        leave_host(cloud, vm)
    state, lcm_state = flow.ends
    if state == ACTIVE and lcm_state == RUNNING:
        record.update({"ACTION": 0, "UID": -1, "GID": -1, "REQUEST_ID": -1})
        vm.hidden.pop(vm_guest.GONE, None)
        if flow.boots:
            vm.body["DEPLOY_ID"] = vm_guest.deploy_id(cloud, vm)
        vm_guest.report(cloud, vm)
        keep_monitored(cloud, vm)
    if state != ACTIVE:
        vm_guest.forget(cloud, vm)
    if state == DONE:
        finish(cloud, vm)
    else:
        _settle(cloud, vm, state, lcm_state)


def _settle(cloud: Cloud, vm: Record, state: int, lcm_state: int) -> None:
    set_state(cloud, vm, state, lcm_state)
    if state in NOT_RUNNING:
        count_stopped(cloud, vm)
    if state in {UNDEPLOYED, PENDING}:
        for graphics in vectors(vm.template, "GRAPHICS"):
            graphics.pop("PORT", None)
    if state == PENDING:
        vm.body["DEPLOY_ID"] = ""
        vm_guest.remove_folder(cloud, vm)
        cloud.schedule_soon()


def leave_host(cloud: Cloud, vm: Record) -> None:
    """Count a virtual machine out of its host."""
    record = vm_history.last(vm)
    host = cloud.store.get("host", record["HID"]) if record else None
    if host is not None:
        cpu, memory = capacity(vm.template)
        vacate(cloud.store, host, vm.oid, cpu, memory)
        cloud.schedule_soon()


def finish(cloud: Cloud, vm: Record) -> None:
    """Let a virtual machine be DONE: everything it took is given back.

    References: OpenNebula src/vm/VirtualMachine.cc `release_disk_images`.
    """
    store, template = cloud.store, vm.template
    failed = vm.state == ACTIVE and vm.body["LCM_STATE"] not in CARRIED_BACK
    for disk in vectors(template, "DISK"):
        vm_disk.release(store, disk, vm.oid, _snapshots(vm, disk["DISK_ID"]), failed=failed)
    for nic in vm_nic.all_nics(template):
        vm_nic.release(store, nic, vm.oid)
    vm_nic.count_in_groups(store, vm_nic.all_nics(template), vm.oid, present=False)
    vm_group.leave(store, vm)
    scheduled_action.forget(store, "VM", vm.oid)
    for usage in charged(vm):
        quota.release(store, vm.uid, vm.gid, usage)
    vm.hidden.pop("token", None)
    vm_guest.remove_folder(cloud, vm)
    for graphics in vectors(template, "GRAPHICS"):
        graphics.pop("PORT", None)
    set_state(cloud, vm, DONE)
    vm.body["ETIME"] = cloud.clock.seconds()
    cloud.schedule_soon()


def _snapshots(vm: Record, disk_id: str) -> Body:
    return next((one for one in vm.body.get("SNAPSHOTS", []) if one["DISK_ID"] == disk_id), {})


def charged(vm: Record) -> list[quota.Usage]:
    """What a virtual machine was counted with."""
    cpu, memory = capacity(vm.template)
    disks = vectors(vm.template, "DISK")
    amounts: dict[str, float] = {"VMS": 1, "RUNNING_VMS": 1, "CPU": cpu, "RUNNING_CPU": cpu}
    amounts |= {
        "MEMORY": memory,
        "RUNNING_MEMORY": memory,
        "SYSTEM_DISK_SIZE": vm_disk.system_size(disks, snapshots=True),
    }
    devices = len(vectors(vm.template, "PCI"))
    amounts |= {"PCI_DEV": devices, "RUNNING_PCI_DEV": devices}
    if not is_counted_running(vm):
        amounts = {key: value for key, value in amounts.items() if not key.startswith("RUNNING_")}
    images = [disk["IMAGE_ID"] for disk in disks if "IMAGE_ID" in disk]
    return [
        *vm_nic.usages(vm.template),
        quota.of_machine(vm, amounts),
        *(quota.Usage("IMAGE", image, {"RVMS": 1}) for image in images),
    ]


def is_counted_running(vm: Record) -> bool:
    """Whether it counts to the RUNNING_ quotas."""
    return bool(vm.hidden.get("running", True))


def running_usage(vm: Record) -> quota.Usage:
    """What a virtual machine uses only as long as it is not stopped."""
    cpu, memory = capacity(vm.template)
    return quota.of_machine(vm, {"RUNNING_VMS": 1, "RUNNING_CPU": cpu, "RUNNING_MEMORY": memory})


def count_stopped(cloud: Cloud, vm: Record) -> None:
    """Give back what a virtual machine that runs no more was counted for running."""
    if is_counted_running(vm):
        quota.release(cloud.store, vm.uid, vm.gid, running_usage(vm))
        cloud.store.edit(vm).hidden["running"] = False


def count_running(cloud: Cloud, vm: Record) -> None:
    """Count a virtual machine that is to run again.

    Raises
    ------
    Refused
        ACTION, when a quota has no room for it.
    """
    if is_counted_running(vm):
        return
    try:
        quota.charge(cloud.store, vm.uid, vm.gid, running_usage(vm))
    except Refused as refused:
        raise Refused(Code.ACTION, refused.text) from refused
    cloud.store.edit(vm).hidden["running"] = True


def keep_monitored(cloud: Cloud, vm: Record) -> None:
    """Let a running virtual machine tell what it uses."""
    cloud.store.remove_events("vm.monitor", vm.oid)
    cloud.later(cloud.pace.monitor_s, "vm.monitor", vm.oid)


def monitored(cloud: Cloud, oid: int, _arguments: Body) -> None:
    """A running virtual machine tells what it uses."""
    vm = cloud.store.get("vm", oid)
    if vm is None or vm.state != ACTIVE or vm.body["LCM_STATE"] not in WITH_GUEST:
        return
    if vm.body["LCM_STATE"] != RUNNING:  # looked at again when what changes it is over
        cloud.later(cloud.pace.monitor_s, "vm.monitor", oid)
        return
    if vm_guest.has_ended(cloud, vm):
        vm_failure.tell(cloud, vm, "DEPLOY", vm_guest.failure(cloud, vm))
        start_flow(cloud, vm, "poweroff")
        return
    if cloud.driver.ends_by_itself:
        cloud.later(cloud.pace.monitor_s, "vm.monitor", oid)
    body, now = cloud.store.edit(vm).body, cloud.clock.seconds()
    told = dict.fromkeys(("DISKRDBYTES", "DISKRDIOPS", "DISKWRBYTES", "DISKWRIOPS", "NETRX", "NETTX"), "0")
    told |= {"CPU": "0", "ID": str(oid), "MEMORY": str(capacity(vm.template)[1] * 1024), "TIMESTAMP": str(now)}
    body["MONITORING"] = dict(sorted({**body["MONITORING"], **told}.items()))
    body["LAST_POLL"] = now


EVENTS: dict[str, Event] = {"vm.step": stepped, "vm.monitor": monitored}
