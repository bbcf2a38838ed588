"""What a virtual machine comes to when its host, or a driver's action, fails.

References: OpenNebula src/lcm/LifeCycleStates.cc, the `trigger_..._failure` actions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.objects import vm_guest, vm_history
from emulator.objects.image_life import ctime
from emulator.objects.vm_state import ACTIVE, LCM, POWEROFF, RUNNING, SUSPENDED, UNKNOWN, set_state
from emulator.template import is_yes

if TYPE_CHECKING:
    from emulator.cloud import Cloud
    from emulator.record import Record

INJECTED = "Fault injected"
# Where a step that fails leads. A step that is not here goes on: it cleans up, and nobody looks at the outcome.
RUNS = (ACTIVE, RUNNING)
FAILURES: dict[str, tuple[int, int]] = {
    **{
        word: (ACTIVE, LCM[f"{word}_FAILURE"])
        for word in (
            "PROLOG", "BOOT", "EPILOG", "EPILOG_STOP", "EPILOG_UNDEPLOY", "PROLOG_MIGRATE", "BOOT_MIGRATE",
            "PROLOG_MIGRATE_UNKNOWN",
        )
    },
    **dict.fromkeys(
        ("SHUTDOWN", "SHUTDOWN_POWEROFF", "SHUTDOWN_UNDEPLOY", "SAVE_SUSPEND", "SAVE_STOP", "SAVE_MIGRATE", "MIGRATE"),
        RUNS,
    ),
    "BOOT_POWEROFF": (POWEROFF, 0),
    "BOOT_SUSPENDED": (SUSPENDED, 0),
    "BOOT_UNKNOWN": (ACTIVE, UNKNOWN),
    "RUNNING": (ACTIVE, UNKNOWN),  # of a machine that boots again
}  # fmt: skip
# What `--fault` calls the driver's actions.
ACTIONS = {"PROLOG": "prolog", "BOOT": "boot"}
STARTING = {"RUNNING", *(word for word in FAILURES if word.startswith("BOOT"))}
# How the driver's actions are called in ERROR.
OPERATIONS = {"BOOT": "DEPLOY", "SHUTDOWN": "SHUTDOWN", "SAVE": "SAVE", "MIGRATE": "MIGRATE"}


def mishap(cloud: Cloud, vm: Record, word: str) -> str:
    """Why a step cannot be done, "" where it can."""
    if word not in FAILURES:
        return ""
    host = str(vm_history.last(vm).get("HOSTNAME", ""))
    if cloud.power.is_cut(host) or (word == "PROLOG_MIGRATE_UNKNOWN" and not _is_reachable(cloud, vm)):
        return f"ssh: connect to host {host} port 22: No route to host"
    if word in ACTIONS and "fail" in cloud.faults.strike(ACTIONS[word]):
        return INJECTED
    return vm_guest.failure(cloud, vm) if word in STARTING else ""


def _is_reachable(cloud: Cloud, vm: Record) -> bool:
    """Whether the disks can be had without the host that was lost: they are on storage that hosts share."""
    old, new = vm_history.records(vm)[-2:]
    datastore = cloud.store.get("datastore", new["DS_ID"])
    shared = datastore is not None and is_yes(datastore.attribute("SHARED"))
    return shared or not cloud.power.is_cut(old["HOSTNAME"])


def fail(cloud: Cloud, vm: Record, word: str, why: str) -> None:
    """Let a step fail."""
    record = vm_history.last(vm)
    operation = OPERATIONS.get(word.partition("_")[0], "TRANSFER")
    place = f"{record['HOSTNAME']}:{vm.name}:dummy" if why == INJECTED else why
    tell(cloud, vm, operation, place)
    if FAILURES[word] == RUNS:
        record["RETIME"] = 0
    else:
        record["RETIME"] = cloud.clock.seconds() if operation == "DEPLOY" else record["RETIME"]
        vm_guest.stop(cloud, vm, hard=True)
    set_state(cloud, vm, *FAILURES[word])
    lose_if_cut(cloud, vm)


def tell(cloud: Cloud, vm: Record, operation: str, why: str) -> None:
    """Say in ERROR why an operation failed; nothing where it did not."""
    if why:
        cloud.store.edit(vm).body["USER_TEMPLATE"]["ERROR"] = [f"{ctime(cloud)}: {operation}: {why}"]


def lose_if_cut(cloud: Cloud, vm: Record) -> None:
    """A machine that seems to run on a host that is known to be lost is lost too."""
    host = cloud.store.get("host", vm_history.last(vm).get("HID", -1))
    if host is not None and cloud.power.is_cut(host.name) and host.attribute("ERROR"):
        lose(cloud, vm)


def lose(cloud: Cloud, vm: Record) -> None:
    """Nothing is known any more of a machine that ran."""
    if (vm.state, vm.body["LCM_STATE"]) == RUNS:
        set_state(cloud, vm, ACTIVE, UNKNOWN)
        vm.body["RESCHED"] = 0
