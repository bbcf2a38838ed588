"""What a host has, what is reserved of it, and what its virtual machines take.

References: OpenNebula src/host/HostShare.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.document import ids
from emulator.template import whole

if TYPE_CHECKING:
    from emulator.record import Body, Record
    from emulator.store import Store


def empty_share() -> Body:
    """HOST_SHARE of a host that was not monitored yet."""
    return {
        "MEM_USAGE": 0,
        "CPU_USAGE": 0,
        "TOTAL_MEM": 0,
        "TOTAL_CPU": 0,
        "MAX_MEM": 0,
        "MAX_CPU": 0,
        "RUNNING_VMS": 0,
        "VMS_THREAD": 1,
        "DATASTORES": dict.fromkeys(("DISK_USAGE", "FREE_DISK", "MAX_DISK", "USED_DISK"), "0"),
        "PCI_DEVICES": {},
        "NUMA_NODES": {},
    }


def count_capacity(store: Store, host: Record) -> None:
    """MAX_CPU and MAX_MEM from what the host has and what it, or its cluster, reserves."""
    share = store.edit(host).body["HOST_SHARE"]
    cluster = store.get("cluster", host.body["CLUSTER_ID"])
    for name, total, limit in (("RESERVED_CPU", "TOTAL_CPU", "MAX_CPU"), ("RESERVED_MEM", "TOTAL_MEM", "MAX_MEM")):
        reserved = host.attribute(name) or (cluster.attribute(name) if cluster else "")
        share[limit] = _without(share[total], reserved)


def _without(total: int, reserved: str) -> int:
    if reserved.endswith("%"):
        return total - total * whole(reserved[:-1], 0) // 100
    return total - whole(reserved, 0)


def has_room(host: Record, cpu: float, memory_mib: int) -> tuple[bool, bool]:
    """Whether a host has room for that many CPUs, and for that much memory."""
    share = host.body["HOST_SHARE"]
    cpu_fits = share["CPU_USAGE"] + round(cpu * 100) <= share["MAX_CPU"]
    memory_fits = share["MEM_USAGE"] + memory_mib * 1024 <= share["MAX_MEM"]
    return cpu_fits, memory_fits


def occupy(store: Store, host: Record, vm_id: int, cpu: float, memory_mib: int) -> None:
    """Count a virtual machine in."""
    body = store.edit(host).body
    running = body["VMS"].get("ID", [])
    if vm_id not in running:
        body["VMS"] = ids([*running, vm_id])
        _count(body, cpu, memory_mib, 1)


def vacate(store: Store, host: Record, vm_id: int, cpu: float, memory_mib: int) -> None:
    """Count a virtual machine out."""
    body = store.edit(host).body
    running = body["VMS"].get("ID", [])
    if vm_id in running:
        body["VMS"] = ids([one for one in running if one != vm_id])
        _count(body, cpu, memory_mib, -1)


def _count(body: Body, cpu: float, memory_mib: int, sign: int) -> None:
    share = body["HOST_SHARE"]
    share["CPU_USAGE"] += sign * round(cpu * 100)
    share["MEM_USAGE"] += sign * memory_mib * 1024
    share["RUNNING_VMS"] += sign
