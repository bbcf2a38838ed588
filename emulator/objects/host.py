"""Hosts: the machines on which virtual machines run.

References: OpenNebula src/rm/api/HostAPI.cc, src/host/Host.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import admin, create, require, use, visible
from emulator.document import element
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects import host_failure
from emulator.objects.cluster import DEFAULT, join, leave_all
from emulator.objects.host_share import count_capacity, empty_share
from emulator.objects.image_life import ctime
from emulator.objects.shared import info, rename, update, whole_pool
from emulator.objects.vdc import forget_everywhere
from emulator.template import first, merged

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud, Event
    from emulator.record import Body, Record
    from emulator.registry import Table
    from emulator.store import Store

INIT, MONITORED, ERROR, DISABLED, OFFLINE = 0, 2, 3, 4, 8
STATUS = {0: INIT, 1: DISABLED, 2: OFFLINE}
MAX_NAME = 64
CAPACITY = ("TOTALCPU", "TOTALMEMORY", "FREECPU", "FREEMEMORY", "USEDCPU", "USEDMEMORY")
KEPT_SAMPLES = 10


def new_host(store: Store, name: str, im_mad: str, vm_mad: str, cluster: Record) -> Record:
    """A new host that waits to be monitored."""
    oid = store.next_id("host")
    body: Body = {
        "ID": oid,
        "NAME": name,
        "STATE": INIT,
        "PREV_STATE": INIT,
        "IM_MAD": im_mad,
        "VM_MAD": vm_mad,
        "CLUSTER_ID": cluster.oid,
        "CLUSTER": cluster.name,
        "HOST_SHARE": empty_share(),
        "VMS": {},
        "TEMPLATE": {"IM_MAD": [im_mad], "RESERVED_CPU": [""], "RESERVED_MEM": [""], "VM_MAD": [vm_mad]},
        "MONITORING": {},
    }
    join(store, cluster, "host", oid)
    return store.add("host", oid, body, {"samples": []})


def allocate(call: Call, name: str, im_mad: str, vm_mad: str, cluster_id: int) -> int:
    """Add a host."""
    cluster = call.get("cluster", DEFAULT if cluster_id == -1 else cluster_id)
    require(call, create("host"), admin(cluster))
    if not name or len(name) >= MAX_NAME:
        words = "Invalid HOSTNAME, HOSTNAME length should be greater than 1, but smaller than 64 characters"
        raise Refused(Code.ALLOCATE, f"Error allocating a new host. {words}")
    check_name(call.store, "host", name)
    host = new_host(call.store, name, im_mad, vm_mad, cluster)
    begin_monitoring(call.cloud, host)
    return host.oid


def begin_monitoring(cloud: Cloud, host: Record) -> None:
    """Let a host be monitored soon, if its driver is one that OpenNebula has."""
    if cloud.configuration.vector("VM_MAD", host.body["IM_MAD"]):
        _monitor_in(cloud, cloud.pace.host_s, host.oid)


def monitor_all(cloud: Cloud) -> None:
    """Let all hosts be monitored soon; must run in a transaction."""
    for host in cloud.store.all("host"):
        begin_monitoring(cloud, host)


def _monitor_in(cloud: Cloud, delay_s: float, oid: int) -> None:
    cloud.store.remove_events("host.monitor", oid)
    cloud.later(delay_s, "host.monitor", oid)


def monitored(cloud: Cloud, oid: int, _arguments: Body) -> None:
    """A host tells what it has, or is found dead."""
    host = cloud.store.get("host", oid)
    if host is None or host.state == OFFLINE:
        return
    _monitor_in(cloud, cloud.pace.host_monitor_s, oid)
    why = host_failure.reason(cloud, host)
    if why:
        _fail(cloud, host, why)
    else:
        _tell(cloud, host)


def _fail(cloud: Cloud, host: Record, why: str) -> None:
    body = cloud.store.edit(host).body
    if host.state != ERROR:
        text = f"Error monitoring Host {host.name} ({host.oid}): {why}"
        host.template["ERROR"] = [f"{ctime(cloud)} : {text}"]
    if host.state not in {DISABLED, ERROR}:
        body.update({"STATE": ERROR, "PREV_STATE": ERROR})
    host_failure.lose_machines(cloud, host)


def _tell(cloud: Cloud, host: Record) -> None:
    host.template.pop("ERROR", None)
    probe, body = cloud.settings.probe, cloud.store.edit(host).body
    told = merged(probe.template, {"HOSTNAME": [host.name], "HYPERVISOR": [body["IM_MAD"]]})
    body["TEMPLATE"] = merged(body["TEMPLATE"], told)
    share = body["HOST_SHARE"]
    share.update({"TOTAL_CPU": probe.cpu, "TOTAL_MEM": probe.memory_kib})
    share.update({"DATASTORES": dict(probe.datastores), "PCI_DEVICES": probe.pci, "NUMA_NODES": probe.numa})
    if host.state != DISABLED:
        body.update({"STATE": MONITORED, "PREV_STATE": MONITORED})
    sample = _sample(cloud, body)
    host.hidden["samples"] = [*host.hidden["samples"], sample][-KEPT_SAMPLES:]
    body["MONITORING"] = {name: value for name, value in sample.items() if name != "ID"}
    count_capacity(cloud.store, host)
    host_failure.find_machines(cloud, host)
    cloud.schedule_soon()


def _sample(cloud: Cloud, body: Body) -> Body:
    share = body["HOST_SHARE"]
    capacity = {
        "FREE_CPU": str(share["TOTAL_CPU"] - share["CPU_USAGE"]),
        "FREE_MEMORY": str(share["TOTAL_MEM"] - share["MEM_USAGE"]),
        "USED_CPU": str(share["CPU_USAGE"]),
        "USED_MEMORY": str(share["MEM_USAGE"]),
    }
    system = {"NETRX": "0", "NETTX": "0"}
    nodes = {"NUMA_NODE": cloud.settings.probe.numa_samples} if cloud.settings.probe.numa_samples else {}
    return {"TIMESTAMP": cloud.clock.seconds(), "ID": body["ID"], "CAPACITY": capacity, "SYSTEM": system, **nodes}


def delete(call: Call, oid: int) -> int:
    """Remove a host without virtual machines."""
    host = call.get("host", oid)
    require(call, admin(host))
    if host.body["HOST_SHARE"]["RUNNING_VMS"] > 0:
        raise Refused(Code.ACTION, "Cannot delete host. Can not remove a host with running VMs")
    leave_all(call.store, "host", oid)
    forget_everywhere(call.store, "host", oid)
    call.store.remove(host)
    return oid


def status(call: Call, oid: int, code: int) -> int:
    """Enable (0), disable (1) or switch off (2) a host."""
    host = call.get("host", oid)
    require(call, admin(host))
    if code not in STATUS:
        raise Refused(Code.INTERNAL, "Wrong status code")
    state = STATUS[code]
    body = call.store.edit(host).body
    body.update({"STATE": state, "PREV_STATE": state})
    if state == OFFLINE:
        for name in CAPACITY:
            body["TEMPLATE"].pop(name, None)
        body["HOST_SHARE"].update({"TOTAL_CPU": 0, "TOTAL_MEM": 0, "MAX_CPU": 0, "MAX_MEM": 0})
    if state == INIT:
        begin_monitoring(call.cloud, host)
    return oid


def _updated(call: Call, host: Record, _old: Body) -> None:
    for name in ("IM_MAD", "VM_MAD"):
        host.body[name] = first(host.template, name) or host.body[name]
        host.template[name] = [host.body[name]]
    count_capacity(call.store, host)


def _renamed(call: Call, host: Record) -> None:
    for vm in call.store.all("vm"):
        history = vm.body["HISTORY_RECORDS"].get("HISTORY", [])
        if history and history[-1]["HID"] == host.oid:
            call.store.edit(vm)
            history[-1]["HOSTNAME"] = host.name


def monitoring(call: Call, oid: int) -> str:
    """Show what a host told over time."""
    host = call.get("host", oid)
    require(call, use(host, despite_lock=True))
    return element("MONITORING_DATA", {"MONITORING": host.hidden["samples"]})


def pool_monitoring(call: Call, seconds: int = -1) -> str:
    """Show what the hosts told over time; with 0 the last of each only."""
    samples = [
        sample
        for host in visible(call, call.store.all("host"))
        for sample in (host.hidden["samples"][-1:] if seconds == 0 else host.hidden["samples"])
    ]
    return element("MONITORING_DATA", {"MONITORING": samples})


TABLE: Table = {
    "one.host.allocate": allocate,
    "one.host.info": info("host"),
    "one.host.update": update("host", after=_updated, right=admin),
    "one.host.rename": rename("host", after=_renamed, right=admin),
    "one.host.delete": delete,
    "one.host.status": status,
    "one.host.monitoring": monitoring,
    "one.hostpool.info": whole_pool("host"),
    "one.hostpool.monitoring": pool_monitoring,
}
EVENTS: dict[str, Event] = {"host.monitor": monitored}
