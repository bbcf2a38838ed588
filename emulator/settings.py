"""What an embedded cloud is started with."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

RPC_PORT = 2633  # OpenNebula's own
ONEGATE_PORT = 5030


@dataclass(frozen=True)
class Pace:
    """How long what happens in the background takes, in seconds.

    A real front end takes about as long for images and virtual machines on local disks; it looks for virtual
    machines to place every 10 s, and monitors hosts and datastores for the first time after several.
    """

    image_s: float = 0.1
    datastore_s: float = 0.1
    host_s: float = 0.1
    host_monitor_s: float = 20.0
    power_s: float = 0.5
    schedule_s: float = 0.1
    retry_placement_s: float = 5.0
    backup_job_s: float = 0.5
    vm_step_s: float = 0.02
    poll_s: float = 0.05
    monitor_s: float = 20.0


@dataclass(frozen=True)
class Probe:
    """What each host says it has.

    Attributes
    ----------
    cpu
        In hundredths of a CPU.
    memory_kib
        Memory.
    template
        Attributes that monitoring adds to the host's template.
    """

    cpu: int = 100 * 4096
    memory_kib: int = 16 * 1024 * 1024 * 1024
    template: dict[str, list[Any]] = field(
        default_factory=lambda: {
            "ARCH": ["x86_64"],
            "HYPERVISOR": ["kvm"],
            "MODELNAME": ["embedded"],
            "CPUSPEED": ["3000"],
        }
    )
    datastores: dict[str, str] = field(
        default_factory=lambda: {
            "DISK_USAGE": "0",
            "FREE_DISK": "1073741824",
            "MAX_DISK": "1073741824",
            "USED_DISK": "0",
        }
    )
    pci: dict[str, Any] = field(default_factory=dict)
    numa: dict[str, Any] = field(default_factory=dict)
    numa_samples: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Settings:
    """What an embedded cloud is started with.

    Attributes
    ----------
    state
        Folder that holds everything; made when missing.
    driver
        What virtual machines are: `process`, `qemu` or `none`.
    address, port, onegate_port
        Where to listen. With no address, and no port, a network 127.N.0.0/16 of its own is claimed; with a port
        alone 127.0.0.1 is used. Port 0 takes a free one.
    onegate
        Whether virtual machines can report through OneGate.
    hosts
        Names of the hosts that a new cloud has.
    password
        Of oneadmin in a new cloud; random when not given.
    datastore_mib
        Total, free and used space that datastores tell.
    measured
        Whether a new cloud's own datastores have told it when the first client comes; a real front end's need some 9 s.
    delay_ms
        How much later each call is answered.
    faults
        See `emulator.faults`.
    version
        What it says that it is, to see what a program does with another release; it behaves as 7.4 all the same.
    hooks
        Folder with the scripts that hooks may run; see `emulator.hook_script`.
    market
        Folder whose image files "OpenNebula Public" offers.
    command
        What the process driver runs, before `--context` and the rest.
    """

    state: Path
    driver: str = "process"
    address: str | None = None
    port: int | None = None
    onegate_port: int | None = None
    onegate: bool = True
    hosts: tuple[str, ...] = ("embedded",)
    password: str | None = None
    pace: Pace = field(default_factory=Pace)
    probe: Probe = field(default_factory=Probe)
    datastore_mib: tuple[int, int, int] = (1 << 30, 1 << 30, 0)
    measured: bool = True
    delay_ms: int = 0
    faults: tuple[str, ...] = ()
    version: str = "7.4.0"
    hooks: Path | None = None
    market: Path | None = None
    command: tuple[str, ...] = (sys.executable, "-m", "cli", "appliance", "run")
