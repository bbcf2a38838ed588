"""The scheduler: on which host, and in which system datastore, a virtual machine runs.

References: OpenNebula src/schedm, src/rm/api/VirtualMachineAPI.cc `deploy`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from emulator.access import Want, admin, manage, require
from emulator.errors import Code, Refused
from emulator.kinds import KINDS
from emulator.objects import cluster_quota, vm_auto_nic, vm_disk, vm_group, vm_history
from emulator.objects.datastore import DISABLED, SYSTEM_DS
from emulator.objects.host import MONITORED
from emulator.objects.host_share import has_room, occupy
from emulator.objects.image import free_mib
from emulator.objects.image_life import ctime
from emulator.objects.requirement import WrongExpression, clusters_of, parsed
from emulator.objects.vm import capacity
from emulator.objects.vm_flow import count_running, prepare, start_flow
from emulator.objects.vm_state import HOLD, PENDING, STOPPED, UNDEPLOYED, words
from emulator.template import first, is_yes, vectors, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud
    from emulator.objects.requirement import Test
    from emulator.record import Body, Record
    from emulator.registry import Table


def place(cloud: Cloud, vm: Record) -> bool:
    """Put a virtual machine on the host with most room; whether there was one."""
    host = host_for(cloud, vm)
    if host is None:
        return False
    datastore = system_datastore(cloud, vm, host, by_scheduler=True)
    if datastore is None:
        if system_datastore(cloud, vm, host, by_scheduler=False) is not None:
            say(cloud, vm, "No system datastores with enough capacity for the VM")
        return False
    lacking = vm_auto_nic.connect(cloud, vm, host.body["CLUSTER_ID"])
    if lacking:
        say(cloud, vm, lacking)
        return False
    try:
        cluster_quota.enter(cloud.store, vm, host.body["CLUSTER_ID"])
    except Refused as refused:
        say(cloud, vm, refused.text)
        return False
    vm.body["USER_TEMPLATE"].pop("SCHED_MESSAGE", None)
    put(cloud, vm, host, datastore, vm_history.BY_SCHEDULER)
    return True


def host_for(cloud: Cloud, vm: Record) -> Record | None:
    """The host with most room, not the one on which a virtual machine is; where there is none, it says why."""
    current = vm_history.last(vm).get("HID", -1) if vm.state not in {PENDING, HOLD} else -1
    hosts = [host for host in cloud.store.all("host") if host.state == MONITORED and host.oid != current]
    cpu, memory = capacity(vm.template)
    try:
        meets = parsed(first(vm.body["USER_TEMPLATE"], "SCHED_REQUIREMENTS"))
    except WrongExpression as wrong:
        say(cloud, vm, f"Error in SCHED_REQUIREMENTS: {wrong}")
        return None
    suiting = [host for host in hosts if _suits(cloud, vm, host, meets)]
    fitting = [host for host in suiting if all(has_room(host, cpu, memory))]
    if not fitting:
        _say_why(cloud, vm, suiting, cpu, memory)
    return max(fitting, key=lambda one: (_free(one), one.oid), default=None)


def _free(host: Record) -> int:
    share = host.body["HOST_SHARE"]
    return int(share["MAX_CPU"] - share["CPU_USAGE"])


def _suits(cloud: Cloud, vm: Record, host: Record, meets: Test) -> bool:
    clusters = clusters_of(vm)
    if clusters and host.body["CLUSTER_ID"] not in clusters:
        return False
    if not vm_group.suits(cloud.store, vm, host.oid):
        return False
    return meets(partial(_values, host))


def _values(host: Record, name: str) -> list[str]:
    """What a host has under a name, for expressions."""
    known = {"ID": str(host.oid), "NAME": host.name, "CLUSTER_ID": str(host.body["CLUSTER_ID"])}
    known["CLUSTER"] = host.body["CLUSTER"]
    return list(filter(None, [known.get(name) or host.attribute(name) or _measured(host, name)]))


def _measured(host: Record, name: str) -> str:
    share = host.body["HOST_SHARE"]
    free = {"FREE_CPU": share["MAX_CPU"] - share["CPU_USAGE"], "FREE_MEM": share["MAX_MEM"] - share["MEM_USAGE"]}
    found = {**free, "RUNNING_VMS": share["RUNNING_VMS"], "MAX_CPU": share["MAX_CPU"], "MAX_MEM": share["MAX_MEM"]}
    return str(found[name]) if name in found else ""


def _say_why(cloud: Cloud, vm: Record, hosts: list[Record], cpu: float, memory: int) -> None:
    words_ = "No hosts enabled to run VMs" if not hosts else _lack(hosts, cpu, memory)
    say(cloud, vm, words_)


def say(cloud: Cloud, vm: Record, words_: str) -> None:
    """Let a virtual machine tell why it is not placed."""
    cloud.store.edit(vm).body["USER_TEMPLATE"]["SCHED_MESSAGE"] = [f"{ctime(cloud)}: {words_}"]


def _lack(hosts: list[Record], cpu: float, memory: int) -> str:
    lacking_cpu = [str(host.oid) for host in hosts if not has_room(host, cpu, memory)[0]]
    if lacking_cpu:
        return f"[HOST] Not enough CPU on hosts: {','.join(lacking_cpu)}"
    return f"[HOST] Not enough MEMORY on hosts: {','.join(str(host.oid) for host in hosts)}"


def system_datastore(cloud: Cloud, vm: Record, host: Record, *, by_scheduler: bool) -> Record | None:
    """The system datastore for a virtual machine on a host: of its cluster, with a driver that its images know.

    The scheduler takes the emptiest, and the newest of equals; a call that names none gets the oldest.
    """
    usable = [
        one
        for one in cloud.store.all("datastore")
        if one.body["TYPE"] == SYSTEM_DS
        and one.state != DISABLED
        and host.body["CLUSTER_ID"] in one.body["CLUSTERS"].get("ID", [])
        and not unsupported(vm, one)
        and (not by_scheduler or _holds_disks(vm, host, one))
    ]
    return max(usable, key=lambda one: (one.body["FREE_MB"], one.oid) if by_scheduler else -one.oid, default=None)


def _holds_disks(vm: Record, host: Record, datastore: Record) -> bool:
    """Whether there is space for a machine's copies: on shared storage, or on the host's own disk."""
    shared = is_yes(datastore.attribute("SHARED"))
    own = whole(str(host.body["HOST_SHARE"]["DATASTORES"].get("FREE_DISK", "0")), 0)
    return vm_disk.system_size(vectors(vm.template, "DISK")) <= (free_mib(datastore) if shared else own)


def unsupported(vm: Record, datastore: Record) -> str:
    """The transfer mode that the virtual machine's images lack for a system datastore, "" if none."""
    mode = datastore.body["TM_MAD"]
    for disk in vectors(vm.template, "DISK"):
        own = disk.get("TM_MAD", mode)
        if own not in {mode, "virtiofs"} and "IMAGE_ID" in disk and not disk.get(f"CLONE_TARGET_{mode.upper()}"):
            return str(mode)
    return ""


def put(cloud: Cloud, vm: Record, host: Record, datastore: Record, plan: tuple[int, int]) -> None:
    """Let a virtual machine start on a host."""
    cpu, memory = capacity(vm.template)
    now = cloud.clock.seconds()
    cloud.store.edit(vm)
    vm_history.begin(vm, host, datastore, 0 if plan == vm_history.BY_SCHEDULER else now, plan, prolog=False)
    prepare(vm)
    occupy(cloud.store, host, vm.oid, cpu, memory)
    start_flow(cloud, vm, "deploy")


def deploy(
    call: Call,
    oid: int,
    host_id: int,
    enforce: bool = False,
    datastore_id: int = -1,
    extra: str = "",  # noqa: ARG001  (an API's parameter)
) -> int:
    """Deploy a Virtual Machine."""
    vm, host = call.get("vm", oid), call.get("host", host_id)
    datastore = call.get("datastore", datastore_id) if datastore_id >= 0 else None
    require(call, Want(admin(vm).right, "vm", vm), manage(host))
    if vm.state not in {PENDING, HOLD, STOPPED, UNDEPLOYED}:
        text = f"Deploy action is not available for state {words(vm.state, vm.body['LCM_STATE'])}"
        raise Refused(Code.ACTION, text)
    if enforce:
        check_room(vm, host)
    chosen = datastore or _any_datastore(call.cloud, vm, host)
    mode = unsupported(vm, chosen)
    if mode:
        raise Refused(Code.ACTION, f"Image Datastore does not support transfer mode: {mode}")
    count_running(call.cloud, vm)
    lacking = vm_auto_nic.connect(call.cloud, vm, host.body["CLUSTER_ID"])
    if lacking:
        raise Refused(Code.ACTION, lacking)
    cluster_quota.enter(call.store, vm, host.body["CLUSTER_ID"])
    put(call.cloud, vm, host, chosen, vm_history.BY_CALLER)
    return oid


def _any_datastore(cloud: Cloud, vm: Record, host: Record) -> Record:
    found = system_datastore(cloud, vm, host, by_scheduler=False)
    if found is None:
        mode = "shared"
        raise Refused(Code.ACTION, f"Image Datastore does not support transfer mode: {mode}")
    return found


def check_cluster(vm: Record, host: Record, action: str) -> None:
    """Refuse a host in a cluster where the virtual machine's disks or networks are not."""
    clusters, own = clusters_of(vm), host.body["CLUSTER_ID"]
    if clusters and own not in clusters:
        needed = ",".join(map(str, sorted(clusters)))
        place_ = f"Host is in cluster [{own}], and VM requires to be placed on cluster [{needed}]"
        raise Refused(Code.ACTION, f"Cannot {action}  VM [{vm.oid}] to host [{host.oid}]. {place_}")


def check_room(vm: Record, host: Record) -> None:
    """Refuse a host that is too small."""
    cpu, memory = capacity(vm.template)
    share = host.body["HOST_SHARE"]
    lack = room_lacking(share, cpu, memory)
    if lack:
        words_ = f"{KINDS['vm'].words} [{vm.oid}] does not fit in {KINDS['host'].words} [{host.oid}]"
        raise Refused(Code.ACTION, f"{words_}. {lack}")


def room_lacking(share: Body, cpu: float, memory_mib: int) -> str:
    """What a host lacks for more CPUs and memory, "" if nothing."""
    needed, free = round(cpu * 100), share["MAX_CPU"] - share["CPU_USAGE"]
    if needed > free:
        return f"Not enough CPU: {needed}/{free}"
    needed, free = memory_mib * 1024, share["MAX_MEM"] - share["MEM_USAGE"]
    return f"Not enough memory: {needed}/{free}" if needed > free else ""


TABLE: Table = {"one.vm.deploy": deploy}
