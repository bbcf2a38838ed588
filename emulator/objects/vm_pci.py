"""PCI devices of hosts, handed to virtual machines.

References: OpenNebula src/host/HostSharePCI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator import quota
from emulator.errors import Code, Refused
from emulator.objects import vm_history
from emulator.objects.vm import check_restricted
from emulator.objects.vm_action import require_to
from emulator.objects.vm_flow import is_counted_running
from emulator.objects.vm_hot import begin
from emulator.objects.vm_state import POWEROFF
from emulator.template import parse, vectors, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Record
    from emulator.registry import Table

ATTACH, DETACH = 58, 59
TOLD = (
    "ADDRESS", "BUS", "CLASS", "DEVICE", "DOMAIN", "FUNCTION", "NUMA_NODE", "SHORT_ADDRESS", "SLOT", "VENDOR",
)  # fmt: skip
WANTED = ("SHORT_ADDRESS", "VENDOR", "DEVICE", "CLASS")


def devices(host: Record) -> list[dict[str, Any]]:
    """The devices of a host."""
    found = host.body["HOST_SHARE"]["PCI_DEVICES"].get("PCI", [])
    return found if isinstance(found, list) else [found]


def _in_poweroff(call: Call, oid: int) -> Record:
    vm = call.get("vm", oid)
    require_to(call, vm, "pci-attach")
    if vm.state != POWEROFF:
        raise Refused(Code.ACTION, "VM in wrong state, it has to be in poweroff")
    return vm


def _usage(vm: Record) -> quota.Usage:
    return quota.of_machine(vm, {"PCI_DEV": 1, **({"RUNNING_PCI_DEV": 1} if is_counted_running(vm) else {})})


def attach(call: Call, oid: int, text: str) -> int:
    """Hand a device of the host to a virtual machine."""
    vm = _in_poweroff(call, oid)
    template = parse(text)
    check_restricted(call, template, "PCI")
    asked = next(iter(vectors(template, "PCI")), {})
    host = call.get("host", vm_history.last(vm)["HID"])
    wanted = {key: value for key, value in asked.items() if key in WANTED}
    found = next((one for one in devices(host) if one["VMID"] == "-1" and wanted.items() <= one.items()), None)
    if found is None or not wanted:
        raise Refused(Code.ACTION, "Cannot assign PCI device in host. Check address and free devices")
    quota.charge(call.store, vm.uid, vm.gid, _usage(vm))
    call.store.edit(host)
    found["VMID"] = str(oid)
    held = call.store.edit(vm).template.setdefault("PCI", [])
    number = max((whole(one["PCI_ID"]) for one in held), default=-1) + 1
    held.append({**{key: found[key] for key in TOLD if key in found}, "PCI_ID": str(number), **_place(number)})
    begin(call, vm, "HOTPLUG", ATTACH)
    return oid


def _place(number: int) -> dict[str, str]:
    slot = number + 1
    return {
        "VM_ADDRESS": f"01:{slot:02x}.0",
        "VM_BUS": "0x01",
        "VM_DOMAIN": "0x0000",
        "VM_FUNCTION": "0",
        "VM_SLOT": f"0x{slot:02x}",
    }


def detach(call: Call, oid: int, number: int) -> int:
    """Take a device back."""
    vm = _in_poweroff(call, oid)
    held = vectors(vm.template, "PCI")
    found = next((one for one in held if one["PCI_ID"] == str(number)), None)
    if found is None:
        raise Refused(Code.ACTION, "PCI device not found")
    kept = [one for one in held if one is not found]
    call.store.edit(vm).template.pop("PCI")
    if kept:
        vm.template["PCI"] = kept
    host = call.get("host", vm_history.last(vm)["HID"])
    call.store.edit(host)
    for one in devices(host):
        if one["ADDRESS"] == found["ADDRESS"]:
            one["VMID"] = "-1"
    quota.release(call.store, vm.uid, vm.gid, _usage(vm))
    begin(call, vm, "HOTPLUG", DETACH)
    return oid


TABLE: Table = {"one.vm.attachpci": attach, "one.vm.detachpci": detach}
