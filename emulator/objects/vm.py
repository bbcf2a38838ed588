"""Virtual machines: making one from a template.

References: OpenNebula src/vm/VirtualMachine.cc `insert`, src/rm/api/VirtualMachineAPI.cc `allocate`.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from emulator import quota
from emulator.access import create, require
from emulator.errors import Code, Refused
from emulator.naming import name_mistake
from emulator.objects import vm_context, vm_disk, vm_group, vm_nic
from emulator.objects.image import LOCKED_USED, LOCKED_USED_PERS
from emulator.objects.image_snapshot import carried_along
from emulator.objects.ownership import owner_body, permissions
from emulator.objects.vm_state import CLONING, HOLD, PENDING
from emulator.template import copied, first, is_yes, parse, restricted, take, vectors

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud, Event
    from emulator.record import Body, Record
    from emulator.registry import Table
    from emulator.store import Store

# What of a user's template is the virtual machine itself; all else is kept as the user's own attributes.
MACHINE = frozenset(
    [
        "CPU", "VCPU", "MEMORY", "MEMORY_MAX", "VCPU_MAX", "MEMORY_SLOTS", "MEMORY_RESIZE_MODE", "DISK", "NIC",
        "NIC_ALIAS", "NIC_DEFAULT", "PCI", "OS", "CPU_MODEL", "FEATURES", "INPUT", "GRAPHICS", "VIDEO", "CONTEXT",
        "TOPOLOGY", "NUMA_NODE", "RAW", "EMULATOR", "VMGROUP", "SUBMIT_ON_HOLD", "TEMPLATE_ID", "CLONING_TEMPLATE_ID",
        "CPU_COST", "MEMORY_COST", "DISK_COST", "TPM", "MEMORY_ENCRYPTION", "VROUTER_ID", "VROUTER_KEEPALIVED_ID",
        "VROUTER_KEEPALIVED_PASSWORD",
    ]
)  # fmt: skip
DEFAULT_MACHINE = "q35"
MAX_AMOUNT = 1 << 40
BACKUP_DEFAULTS = {
    "BACKUP_VOLATILE": "NO",
    "FS_FREEZE": "NONE",
    "INCREMENTAL_BACKUP_ID": "-1",
    "INTERACTIVE": "NO",
    "LAST_INCREMENT_ID": "-1",
    "MODE": "FULL",
}


def allocate(call: Call, text: str, hold: bool = False) -> int:
    """Make a virtual machine."""
    template = parse(text)
    check_restricted(call, template)
    return new_vm(call, template, hold=hold).oid


def check_restricted(call: Call, template: Body, what: str = "VM Template") -> None:
    """Refuse attributes that only administrators may set."""
    found = restricted(template, call.cloud.configuration.texts("VM_RESTRICTED_ATTR"))
    if found and not call.caller.is_admin:
        text = f"{what} includes a restricted attribute {found}"
        raise Refused(Code.AUTHORIZATION, f"User [{call.caller.uid}] : {text}.")


def new_vm(call: Call, template: Body, *, hold: bool, default_name: str = "") -> Record:
    """A new virtual machine from a template, for the caller.

    Raises
    ------
    Refused
        INTERNAL for what is wrong with the template, AUTHORIZATION for rights and quotas.
    """
    caller = call.caller
    vm_group_want = vm_group.wants(call, template)
    require(
        call,
        create("vm", caller.gid),
        *vm_disk.wants(call, template, caller.uid),
        *vm_nic.wants(call, template, caller.uid),
        *vm_group_want,
    )
    check_capacity(template)
    vm_nic.leave_to_scheduler(template)
    for usage in usages(call, template):
        quota.charge(call.store, caller.uid, caller.gid, usage)
    oid = call.store.next_id("vm")
    name = take(template, "NAME") or (f"{default_name}-{oid}" if default_name else f"one-{oid}")
    mistake = name_mistake("vm", name)
    if mistake:
        raise Refused(Code.INTERNAL, mistake)
    return _made(call, oid, name.replace("%i", str(oid)), template, hold=hold)


def check_capacity(template: Body) -> None:
    """Refuse a template that says no CPU, or no memory."""
    if _number(first(template, "MEMORY"), whole=True) <= 0 and "MEMORY" in template:
        raise Refused(Code.INTERNAL, "MEMORY attribute must be a positive integer value.")
    if _number(first(template, "CPU")) <= 0 and ("CPU" in template or "MEMORY" in template):
        raise Refused(Code.INTERNAL, "CPU attribute must be a positive float or integer value.")
    if "MEMORY" not in template:
        raise Refused(Code.INTERNAL, "MEMORY attribute must be a positive integer value.")
    if "VCPU" in template and _number(first(template, "VCPU"), whole=True) <= 0:
        raise Refused(Code.INTERNAL, "VCPU attribute must be a positive integer value.")


def _number(text: str, *, whole: bool = False) -> float:
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        return -1
    return number if 0 <= number <= MAX_AMOUNT else -1  # `nan` is no amount either


def capacity(template: Body) -> tuple[float, int]:
    """CPUs, and memory in MiB."""
    return max(_number(first(template, "CPU")), 0), int(max(_number(first(template, "MEMORY"), whole=True), 0))


def usages(call: Call, template: Body) -> list[quota.Usage]:
    """What a virtual machine uses of quotas."""
    cpu, memory = capacity(template)
    disks = vectors(template, "DISK")
    size = sum(_disk_size(call, disk) for disk in disks)
    amounts: dict[str, float] = {"VMS": 1, "RUNNING_VMS": 1, "CPU": cpu, "RUNNING_CPU": cpu}
    amounts |= {"MEMORY": memory, "RUNNING_MEMORY": memory, "SYSTEM_DISK_SIZE": size}
    images = [str(vm_disk.image_of(call, disk, call.caller.uid).oid) for disk in disks if _exists(call, disk)]
    return [
        *vm_nic.usages(template),
        quota.Usage("VM", "", amounts),
        *(quota.Usage("IMAGE", image, {"RVMS": 1}) for image in images),
    ]


def _exists(call: Call, disk: dict[str, str]) -> bool:
    try:
        return vm_disk.has_image(disk) and vm_disk.image_of(call, disk, call.caller.uid) is not None
    except Refused:
        return False


def _disk_size(call: Call, disk: dict[str, str]) -> int:
    if not _exists(call, disk):
        return vm_disk.system_size([disk])
    image = vm_disk.image_of(call, disk, call.caller.uid)
    kinds = {"PERSISTENT": str(image.body["PERSISTENT"]), "SIZE": disk.get("SIZE") or str(image.body["SIZE"])}
    return vm_disk.system_size([{**kinds, "TYPE": vm_disk.type_of(call, disk)}])


def _made(call: Call, oid: int, name: str, template: Body, *, hold: bool) -> Record:
    machine = {key: copied({key: values})[key] for key, values in template.items() if key in MACHINE}
    mine = {key: values for key, values in template.items() if key not in MACHINE}
    on_hold = hold or is_yes(first(machine, "SUBMIT_ON_HOLD"))
    state = HOLD if on_hold else PENDING
    body = {
        **owner_body(call.caller, oid, name),
        "PERMISSIONS": permissions(),
        "LAST_POLL": 0,
        "STATE": state,
        "LCM_STATE": 0,
        "PREV_STATE": state,
        "PREV_LCM_STATE": 0,
        "RESCHED": 0,
        "STIME": call.cloud.clock.seconds(),
        "ETIME": 0,
        "DEPLOY_ID": "",
        "MONITORING": {},
        "SCHED_ACTIONS": {},
        "TEMPLATE": machine,
        "USER_TEMPLATE": mine,
        "HISTORY_RECORDS": {},
        "BACKUPS": {"BACKUP_CONFIG": _backup_config(mine), "BACKUP_IDS": {}},
    }
    vm = call.store.add("vm", oid, body, {"charged": []})
    _complete(call, vm, machine, on_hold=on_hold)
    if waits_for_images(call.store, vm):
        vm.hidden["after_cloning"] = state
        vm.body.update({"STATE": CLONING, "PREV_STATE": CLONING})
    elif state == PENDING:
        call.cloud.schedule_soon()
    return vm


def waits_for_images(store: Store, vm: Record) -> bool:
    """Whether an image of a virtual machine is still being copied."""
    images = (store.get("image", int(disk["IMAGE_ID"])) for disk in vectors(vm.template, "DISK") if "IMAGE_ID" in disk)
    return any(image is not None and image.state in {LOCKED_USED, LOCKED_USED_PERS} for image in images)


def disk_ready(cloud: Cloud, oid: int, _arguments: Body) -> None:
    """An image of a virtual machine is there: go on when it was the last."""
    vm = cloud.store.get("vm", oid)
    if vm is None:
        return
    for disk in vectors(cloud.store.edit(vm).template, "DISK"):
        image = cloud.store.get("image", int(disk.get("IMAGE_ID", -1)))
        if image is not None:
            disk.update({"SOURCE": image.body["SOURCE"], "FORMAT": image.body["FORMAT"]})
            disk["DRIVER"] = disk.get("DRIVER") or image.body["FORMAT"]
    if vm.state == CLONING and not waits_for_images(cloud.store, vm):
        state = vm.hidden.pop("after_cloning", PENDING)
        vm.body.update({"STATE": state, "PREV_STATE": state})
        cloud.schedule_soon()


def _backup_config(mine: Body) -> Body:
    config = next(iter(vectors(mine, "BACKUP_CONFIG")), {})
    mine.pop("BACKUP_CONFIG", None)
    return {**BACKUP_DEFAULTS, **config} if config else {}


def _complete(call: Call, vm: Record, machine: Body, *, on_hold: bool) -> None:
    """Fill in what OpenNebula says of disks, networks and the machine."""
    uid = call.caller.uid
    vm_group.join(call, vm, machine)
    networks = vm_nic.build(call, machine, vm.oid, uid)
    datastores = vm_disk.build(call, machine, vm.oid, uid)
    vm_disk.keep_snapshots(vm, _snapshots_of_images(call, machine))
    machine["VMID"] = [str(vm.oid)]
    if on_hold:
        machine["SUBMIT_ON_HOLD"] = ["YES"]
    rules = vm_nic.security_rules(call, vm_nic.all_nics(machine))
    if rules:
        machine["SECURITY_GROUP_RULE"] = list(rules)
    vm_nic.count_in_groups(call.store, vm_nic.all_nics(machine), vm.oid, present=True)
    vm_context.build(call, vm, machine)
    complete_os(machine)
    place = [set(network.body["CLUSTERS"].get("ID", [])) for network in networks]
    place += [set(call.get("datastore", one).body["CLUSTERS"].get("ID", [])) for one in datastores]
    set_requirements(call, machine, place)


def _snapshots_of_images(call: Call, machine: Body) -> list[Body]:
    """The snapshots that persistent images bring along."""
    disks = [disk for disk in vectors(machine, "DISK") if "IMAGE_ID" in disk]
    images = [(call.get("image", int(disk["IMAGE_ID"])), disk["DISK_ID"]) for disk in disks]
    return [group for image, disk_id in images if (group := carried_along(image, disk_id))]


def complete_os(machine: Body) -> None:
    """Say which machine is emulated, and its UUID."""
    system = next(iter(vectors(machine, "OS")), {})
    system.setdefault("MACHINE", DEFAULT_MACHINE)
    system.setdefault("UUID", str(uuid.uuid4()))
    machine["OS"] = [system]


def set_requirements(call: Call, machine: Body, places: list[set[int]]) -> None:
    """Say in which clusters it can run: those that all its networks and datastores are in."""
    everywhere = {one.oid for one in call.store.all("cluster")}
    clusters = sorted(set.intersection(*places)) if places else []
    if places and not clusters:
        text = "Incompatible clusters IDs. The VM's disks and networks share no cluster."
        raise Refused(Code.INTERNAL, text)
    pinned = "!(PIN_POLICY = PINNED)"
    hosts = " | ".join(f"CLUSTER_ID = {one}" for one in clusters)
    machine["AUTOMATIC_REQUIREMENTS"] = [f"({hosts}) & {pinned}" if hosts else pinned]
    spread = [f'"CLUSTERS/ID" @> {one}' for one in (clusters or sorted(everywhere))]
    if clusters:
        machine["AUTOMATIC_DS_REQUIREMENTS"] = [f"({' | '.join(spread)})"]
        machine["AUTOMATIC_NIC_REQUIREMENTS"] = [f"({' | '.join(spread)})"]


TABLE: Table = {"one.vm.allocate": allocate}
EVENTS: dict[str, Event] = {"vm.disk_ready": disk_ready}
