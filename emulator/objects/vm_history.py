"""The history of a virtual machine: on which host it was, from when to when, and why it left.

References: OpenNebula src/vm/History.cc, include/VMActions.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record

# Why a record ended, or what was done last.
ACTIONS = {
    "migrate": 1, "live-migrate": 2, "undeploy": 5, "undeploy-hard": 6, "stop": 9, "suspend": 10, "resume": 11,
    "delete": 13, "delete-recreate": 14, "reboot": 15, "reboot-hard": 16, "poweroff": 19, "poweroff-hard": 20,
    "disk-attach": 21, "disk-detach": 22, "nic-attach": 23, "nic-detach": 24, "disk-snapshot-create": 25,
    "disk-snapshot-delete": 26, "terminate": 27, "terminate-hard": 28, "disk-resize": 29, "snapshot-create": 39,
    "snapshot-delete": 37, "snapshot-revert": 38, "disk-saveas": 39, "disk-snapshot-revert": 40, "recover": 41,
    "retry": 42, "monitor": 43, "poweroff-migrate": 47, "poweroff-hard-migrate": 48,
}  # fmt: skip
BY_SCHEDULER, BY_CALLER = (-1, 0), (-2, -1)  # PLAN_ID and ACTION_ID


def records(vm: Record) -> list[Body]:
    """All records, oldest first."""
    found: list[Body] = vm.body["HISTORY_RECORDS"].get("HISTORY", [])
    return found


def last(vm: Record) -> Body:
    """The newest record; an empty body where the virtual machine never was on a host."""
    found = records(vm)
    return found[-1] if found else {}


def begin(vm: Record, host: Record, datastore: Record, now: int, plan: tuple[int, int], *, prolog: bool = True) -> Body:
    """A new record."""
    record: Body = {
        "OID": vm.oid,
        "SEQ": len(records(vm)),
        "HOSTNAME": host.name,
        "HID": host.oid,
        "CID": host.body["CLUSTER_ID"],
        "STIME": now,
        "ETIME": 0,
        "VM_MAD": host.body["VM_MAD"],
        "TM_MAD": datastore.body["TM_MAD"],
        "DS_ID": datastore.oid,
        "PLAN_ID": plan[0],
        "ACTION_ID": plan[1],
        "PSTIME": now if prolog else 0,
        **dict.fromkeys(("PETIME", "RSTIME", "RETIME", "ESTIME", "EETIME"), 0),
        "ACTION": 0,
        "UID": -1,
        "GID": -1,
        "REQUEST_ID": -1,
    }
    vm.body["HISTORY_RECORDS"] = {"HISTORY": [*records(vm), record]}
    return record


def again(vm: Record, now: int) -> Body:
    """A new record on the same host: the virtual machine starts again where it stopped."""
    old = last(vm)
    old["ETIME"] = old["ETIME"] or now
    fresh = {**old, "SEQ": old["SEQ"] + 1, "STIME": now, "ETIME": 0, "RSTIME": now, "ACTION": 0, "UID": -1, "GID": -1}
    fresh.update({"REQUEST_ID": -1, **dict.fromkeys(("PSTIME", "PETIME", "RETIME", "ESTIME", "EETIME"), 0)})
    vm.body["HISTORY_RECORDS"] = {"HISTORY": [*records(vm), fresh]}
    return fresh


def note(call: Call, vm: Record, action: str) -> None:
    """Write down who does what."""
    record = last(vm)
    if record:
        caller = call.caller
        record.update({"ACTION": ACTIONS.get(action, 0), "UID": caller.uid, "GID": caller.gid})
        record["REQUEST_ID"] = call.request_id


def like(vm: Record, now: int) -> Body:
    """A new record that goes on as the last one was: nothing runs."""
    old = last(vm)
    fresh = {**old, "SEQ": old["SEQ"] + 1, "STIME": now, "ETIME": 0, "UID": -1, "GID": -1, "REQUEST_ID": -1}
    fresh.update({"PSTIME": 0, "PETIME": 0})
    vm.body["HISTORY_RECORDS"] = {"HISTORY": [*records(vm), fresh]}
    return fresh
