"""States of virtual machines, and the paths between them.

References: OpenNebula include/VirtualMachine.h `VmState` and `LcmState`, src/lcm/LifeCycleStates.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.cloud import Cloud
    from emulator.record import Record

INIT, PENDING, HOLD, ACTIVE, STOPPED, SUSPENDED, DONE, FAILED, POWEROFF, UNDEPLOYED, CLONING, CLONING_FAILURE = range(
    12
)
STATE_WORDS = (
    "INIT", "PENDING", "HOLD", "ACTIVE", "STOPPED", "SUSPENDED", "DONE", "FAILED", "POWEROFF", "UNDEPLOYED", "CLONING",
    "CLONING_FAILURE",
)  # fmt: skip

LCM_WORDS = (
    "LCM_INIT", "PROLOG", "BOOT", "RUNNING", "MIGRATE", "SAVE_STOP", "SAVE_SUSPEND", "SAVE_MIGRATE", "PROLOG_MIGRATE",
    "PROLOG_RESUME", "EPILOG_STOP", "EPILOG", "SHUTDOWN", "CANCEL", "FAILURE", "CLEANUP_RESUBMIT", "UNKNOWN", "HOTPLUG",
    "SHUTDOWN_POWEROFF", "BOOT_UNKNOWN", "BOOT_POWEROFF", "BOOT_SUSPENDED", "BOOT_STOPPED", "CLEANUP_DELETE",
    "HOTPLUG_SNAPSHOT", "HOTPLUG_NIC", "HOTPLUG_SAVEAS", "HOTPLUG_SAVEAS_POWEROFF", "HOTPLUG_SAVEAS_SUSPENDED",
    "SHUTDOWN_UNDEPLOY", "EPILOG_UNDEPLOY", "PROLOG_UNDEPLOY", "BOOT_UNDEPLOY", "HOTPLUG_PROLOG_POWEROFF",
    "HOTPLUG_EPILOG_POWEROFF", "BOOT_MIGRATE", "BOOT_FAILURE", "BOOT_MIGRATE_FAILURE", "PROLOG_MIGRATE_FAILURE",
    "PROLOG_FAILURE", "EPILOG_FAILURE", "EPILOG_STOP_FAILURE", "EPILOG_UNDEPLOY_FAILURE", "PROLOG_MIGRATE_POWEROFF",
    "PROLOG_MIGRATE_POWEROFF_FAILURE", "PROLOG_MIGRATE_SUSPEND", "PROLOG_MIGRATE_SUSPEND_FAILURE",
    "BOOT_UNDEPLOY_FAILURE", "BOOT_STOPPED_FAILURE", "PROLOG_RESUME_FAILURE", "PROLOG_UNDEPLOY_FAILURE",
    "DISK_SNAPSHOT_POWEROFF", "DISK_SNAPSHOT_REVERT_POWEROFF", "DISK_SNAPSHOT_DELETE_POWEROFF",
    "DISK_SNAPSHOT_SUSPENDED", "DISK_SNAPSHOT_REVERT_SUSPENDED", "DISK_SNAPSHOT_DELETE_SUSPENDED", "DISK_SNAPSHOT",
    "DISK_SNAPSHOT_REVERT", "DISK_SNAPSHOT_DELETE", "PROLOG_MIGRATE_UNKNOWN", "PROLOG_MIGRATE_UNKNOWN_FAILURE",
    "DISK_RESIZE", "DISK_RESIZE_POWEROFF", "DISK_RESIZE_UNDEPLOYED", "HOTPLUG_NIC_POWEROFF", "HOTPLUG_RESIZE",
    "HOTPLUG_SAVEAS_UNDEPLOYED", "HOTPLUG_SAVEAS_STOPPED", "BACKUP", "BACKUP_POWEROFF", "RESTORE",
)  # fmt: skip
LCM = {word: number for number, word in enumerate(LCM_WORDS)}
RUNNING, UNKNOWN, BOOT_FAILURE = LCM["RUNNING"], LCM["UNKNOWN"], LCM["BOOT_FAILURE"]
BOOTING = {
    LCM[word]
    for word in (
        "BOOT", "BOOT_UNKNOWN", "BOOT_POWEROFF", "BOOT_SUSPENDED", "BOOT_STOPPED", "BOOT_UNDEPLOY", "BOOT_MIGRATE",
    )
}  # fmt: skip
#: The ACTIVE states in which a guest runs.
WITH_GUEST = {RUNNING, UNKNOWN} | {
    LCM[word]
    for word in (
        "MIGRATE", "HOTPLUG", "HOTPLUG_NIC", "HOTPLUG_RESIZE", "HOTPLUG_SAVEAS", "HOTPLUG_SNAPSHOT", "DISK_RESIZE",
        "DISK_SNAPSHOT", "DISK_SNAPSHOT_REVERT", "DISK_SNAPSHOT_DELETE", "BACKUP",
    )
}  # fmt: skip


@dataclass(frozen=True)
class Flow:
    """What a virtual machine goes through.

    Attributes
    ----------
    steps
        LCM states, one after the other.
    ends
        STATE and LCM_STATE at the end.
    starts_guest, stops_guest
        What the driver does; it is waited for in the first step that names it (BOOT..., else the first).
    closes
        Whether the history record ends with it.
    leaves
        Whether the virtual machine leaves its host.
    epilog
        Whether disks are carried away from the host, which the history shows.
    boots
        Whether the hypervisor makes it anew, under a new DEPLOY_ID.
    """

    steps: tuple[str, ...]
    ends: tuple[int, int] = (ACTIVE, RUNNING)
    starts_guest: bool = False
    stops_guest: bool = False
    closes: bool = False
    leaves: bool = False
    epilog: bool = False
    boots: bool = False


FLOWS: dict[str, Flow] = {
    "deploy": Flow(("LCM_INIT", "PROLOG", "BOOT"), starts_guest=True, boots=True),
    "boot_poweroff": Flow(("BOOT_POWEROFF",), starts_guest=True, boots=True),
    "boot_suspended": Flow(("BOOT_SUSPENDED",), starts_guest=True),
    "boot_unknown": Flow(("BOOT_UNKNOWN",), starts_guest=True, boots=True),
    "reboot": Flow(("RUNNING",), stops_guest=True, starts_guest=True),
    "migrate_unknown": Flow(("PROLOG_MIGRATE_UNKNOWN", "BOOT"), starts_guest=True, boots=True),
    "migrate": Flow(("SAVE_MIGRATE", "PROLOG_MIGRATE", "BOOT_MIGRATE"), stops_guest=True, starts_guest=True),
    "live_migrate": Flow(("MIGRATE",)),
    "poweroff": Flow(("SHUTDOWN_POWEROFF",), (POWEROFF, 0), stops_guest=True),
    "suspend": Flow(("SAVE_SUSPEND",), (SUSPENDED, 0), stops_guest=True),
    "stop": Flow(
        ("SAVE_STOP", "EPILOG_STOP"), (STOPPED, 0), stops_guest=True, closes=True, leaves=True, epilog=True
    ),
    "undeploy": Flow(
        ("SHUTDOWN_UNDEPLOY", "EPILOG_UNDEPLOY"), (UNDEPLOYED, 0),
        stops_guest=True, closes=True, leaves=True, epilog=True,
    ),
    "terminate": Flow(
        ("SHUTDOWN", "EPILOG"), (DONE, 0), stops_guest=True, closes=True, leaves=True, epilog=True
    ),
    "cleanup": Flow(("CLEANUP_DELETE",), (DONE, 0), stops_guest=True, closes=True, leaves=True),
    "resubmit": Flow(("CLEANUP_RESUBMIT",), (PENDING, 0), stops_guest=True, closes=True, leaves=True),
}  # fmt: skip


def set_state(cloud: Cloud, vm: Record, state: int, lcm_state: int = 0) -> None:
    """Let a virtual machine be in a state."""
    body = cloud.store.edit(vm).body
    body.update({"STATE": state, "LCM_STATE": lcm_state, "PREV_STATE": state, "PREV_LCM_STATE": lcm_state})


def words(state: int, lcm_state: int) -> str:
    """A state as messages call it."""
    return LCM_WORDS[lcm_state] if state == ACTIVE else STATE_WORDS[state]
