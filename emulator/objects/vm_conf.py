"""Changing what a virtual machine is: CPU and memory, machine, graphics, context.

References: OpenNebula src/vm/VirtualMachine.cc `updateconf`, src/rm/api/VirtualMachineAPI.cc `resize`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import quota
from emulator.errors import Code, Refused
from emulator.objects import vm_context, vm_disk, vm_guest, vm_history
from emulator.objects.host_share import occupy, vacate
from emulator.objects.placement import room_lacking
from emulator.objects.vm import MAX_AMOUNT, capacity, check_restricted
from emulator.objects.vm_action import require_to
from emulator.objects.vm_flow import is_counted_running
from emulator.objects.vm_hot import begin, is_running
from emulator.objects.vm_state import ACTIVE, DONE, POWEROFF, words
from emulator.template import first, parse, vectors

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table

RESIZE = 35
BACKUP_CONFIG = {"BACKUP_VOLATILE": "NO", "INCREMENTAL_BACKUP_ID": "-1", "LAST_INCREMENT_ID": "-1", "MODE": "FULL"}
SECTIONS = ("OS", "FEATURES", "INPUT", "GRAPHICS", "VIDEO", "RAW", "CPU_MODEL", "TPM")
POSITIVE = {
    "CPU": "CPU must be a positive float or integer value.",
    "MEMORY": "MEMORY must be a positive integer value.",
    "VCPU": "VCPU must be a positive integer value.",
}


def resize(call: Call, oid: int, text: str, enforce: bool = True) -> int:
    """Change CPU and memory."""
    vm = call.get("vm", oid)
    asked = parse(text)
    require_to(call, vm, "resize")
    _check_positive(asked)
    if vm.state == DONE or (vm.state == ACTIVE and not is_running(vm)):
        state = words(vm.state, vm.body["LCM_STATE"])
        raise Refused(Code.ACTION, f"Resize action is not available for state {state}")
    old, wanted = capacity(vm.template), capacity({**vm.template, **asked})
    _charge(call, vm, wanted[0] - old[0], wanted[1] - old[1])
    _move_share(call, vm, old, wanted, enforce=enforce or not call.caller.is_admin)
    for name in ("CPU", "MEMORY", "VCPU"):
        if name in asked:
            call.store.edit(vm).template[name] = [first(asked, name)]
    if vm.state in {ACTIVE, POWEROFF}:
        begin(call, vm, "HOTPLUG_RESIZE", RESIZE)
    return oid


def _check_positive(asked: Body) -> None:
    for name, mistake in POSITIVE.items():
        value = first(asked, name)
        if name in asked and not 0 < _number(value) <= MAX_AMOUNT:
            raise Refused(Code.INTERNAL, mistake)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0


def _charge(call: Call, vm: Record, cpu: float, memory: int) -> None:
    amounts: dict[str, float] = {"CPU": cpu, "MEMORY": memory}
    if is_counted_running(vm):
        amounts |= {"RUNNING_CPU": cpu, "RUNNING_MEMORY": memory}
    quota.charge(call.store, vm.uid, vm.gid, quota.of_machine(vm, amounts))


def _move_share(call: Call, vm: Record, old: tuple[float, int], new: tuple[float, int], *, enforce: bool) -> None:
    host = call.store.get("host", vm_history.last(vm).get("HID", -1))
    if host is None or vm.oid not in host.body["VMS"].get("ID", []):
        return
    vacate(call.store, host, vm.oid, *old)
    lack = room_lacking(host.body["HOST_SHARE"], *new) if enforce else ""
    if lack:
        raise Refused(Code.ACTION, lack)
    occupy(call.store, host, vm.oid, *new)


def updateconf(call: Call, oid: int, text: str, append: int = 0) -> int:
    """Change machine, graphics, context...; without `append` what is not named is dropped, but for the context."""
    vm = call.get("vm", oid)
    asked = parse(text)
    require_to(call, vm, "updateconf")
    check_restricted(call, asked, "Template")
    if vm.state == DONE:
        raise Refused(Code.INTERNAL, f"configuration cannot be updated in state {words(vm.state, 0)}")
    template = call.store.edit(vm).template
    for section in SECTIONS:
        _replace(template, asked, section, drop=append == 0)
    _set_context(call, vm, asked, append=append == 1)
    _set_boot_order(template)
    for config in vectors(asked, "BACKUP_CONFIG"):
        vm.body["BACKUPS"]["BACKUP_CONFIG"] = {**BACKUP_CONFIG, **vm.body["BACKUPS"]["BACKUP_CONFIG"], **config}
    vm_guest.change(call.cloud, vm)
    return oid


def _replace(template: Body, asked: Body, section: str, *, drop: bool) -> None:
    old = next(iter(vectors(template, section)), {})
    if section in asked:
        new = dict(next(iter(vectors(asked, section)), {}))
        if section == "GRAPHICS" and "PORT" in old:
            new.setdefault("PORT", old["PORT"])
        template[section] = [new if drop else {**old, **new}]
    elif drop:
        template.pop(section, None)


def _set_context(call: Call, vm: Record, asked: Body, *, append: bool) -> None:
    for wanted in vectors(asked, "CONTEXT"):
        old = next(iter(vectors(vm.template, "CONTEXT")), {})
        kept = {key: old[key] for key in ("DISK_ID", "TARGET") if key in old}
        vm.template["CONTEXT"] = [{**(old if append else {}), **wanted}]
        vm_context.build(call, vm, vm.template)
        vm.template["CONTEXT"][0].update(kept)
        if not kept:
            disks = vectors(vm.template, "DISK")
            vm_disk.assign_targets(disks, vectors(vm.template, "CONTEXT"), [])


def _set_boot_order(template: Body) -> None:
    order = first_of(template, "OS").get("BOOT", "").split(",")
    for key, prefix, number in (("DISK", "disk", "DISK_ID"), ("NIC", "nic", "NIC_ID")):
        for device in vectors(template, key):
            device.pop("ORDER", None)
            name = f"{prefix}{device.get(number)}"
            if name in order:
                device["ORDER"] = str(order.index(name) + 1)


def first_of(template: Body, name: str) -> dict[str, str]:
    """First vector of an attribute; an empty one where there is none."""
    return next(iter(vectors(template, name)), {})


TABLE: Table = {"one.vm.resize": resize, "one.vm.updateconf": updateconf}
