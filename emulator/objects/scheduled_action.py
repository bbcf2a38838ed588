"""Scheduled actions: what is to be done to a virtual machine, or by a backup job, at a time.

References: OpenNebula src/pool/ScheduledAction.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.document import InOrder
from emulator.errors import Code, Refused
from emulator.template import parse, vectors, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.store import Store

FOR_VM = frozenset(
    [
        "terminate", "terminate-hard", "undeploy", "undeploy-hard", "hold", "release", "stop", "suspend", "resume",
        "reboot", "reboot-hard", "poweroff", "poweroff-hard", "snapshot-create", "snapshot-revert", "snapshot-delete",
        "disk-snapshot-create", "disk-snapshot-revert", "disk-snapshot-delete", "backup",
    ]
)  # fmt: skip
PERIODIC = {"REPEAT": -1, "DAYS": "", "END_TYPE": -1, "END_VALUE": -1}


def actions_of(store: Store, kind: str, parent: int) -> list[Record]:
    """The scheduled actions of an object."""
    return [one for one in store.all("schedaction") if one.body["TYPE"] == kind and one.body["PARENT_ID"] == parent]


def shown(actions: list[Record]) -> list[Body]:
    """Scheduled actions as documents show them."""
    return [InOrder(one.body) for one in actions]


def add(call: Call, kind: str, parent: int, text: str | Body, stime: int) -> int:
    """Schedule what a SCHED_ACTION says."""
    asked = _asked(text)
    action = asked.get("ACTION", "backup" if kind == "BACKUPJOB" else "")
    if action not in FOR_VM:
        raise Refused(Code.ACTION, f"{action} is not supported.")
    at = time_of(asked.get("TIME", ""), stime)
    oid = call.store.next_id("schedaction")
    body: Body = {"ID": oid, "PARENT_ID": parent, "TYPE": kind, "ACTION": action, "ARGS": asked.get("ARGS", "")}
    body |= {"TIME": at, **_periodic(asked), "DONE": -1, "MESSAGE": "", "WARNING": whole(asked.get("WARNING"), 0)}
    call.store.add("schedaction", oid, body)
    call.cloud.later(max(at - call.cloud.clock.now(), 0), "schedule.act", oid)
    return oid


def _asked(text: str | Body) -> dict[str, str]:
    found = vectors(parse(text) if isinstance(text, str) else text, "SCHED_ACTION")
    if not found:
        raise Refused(Code.INTERNAL, "No SCHED_ACTION in template")
    return found[0]


def _periodic(asked: dict[str, str]) -> Body:
    return {key: asked.get(key, "") if key == "DAYS" else whole(asked.get(key)) for key in PERIODIC}


def time_of(text: str, stime: int) -> int:
    """Seconds since the epoch; `+n` counts from the start of the object.

    Raises
    ------
    Refused
        ACTION, when it is no number.
    """
    if not text.lstrip("+").isdigit():
        raise Refused(Code.ACTION, f"Unable to parse the time value or value is empty: {text}")
    return stime + int(text[1:]) if text.startswith("+") else int(text)


def update(call: Call, number: int, text: str, stime: int) -> int:
    """Change a scheduled action."""
    asked = _asked(text)
    record = call.store.get("schedaction", number)
    if record is None:
        raise Refused(Code.INTERNAL, f"SCHED_ACTION with id = {number} doesn't exist")
    body = call.store.edit(record).body
    if "TIME" in asked:
        body["TIME"] = time_of(asked["TIME"], stime)
        call.store.remove_events("schedule.act", number)
        call.cloud.later(max(body["TIME"] - call.cloud.clock.now(), 0), "schedule.act", number)
    body.update({key: asked[key] for key in ("ACTION", "ARGS") if key in asked})
    body.update({key: value for key, value in _periodic(asked).items() if key in asked})
    return number


def delete(call: Call, number: int) -> None:
    """Forget a scheduled action."""
    record = call.store.get("schedaction", number)
    if record is None:
        raise Refused(Code.NO_EXISTS, f"Error getting scheduled action [{number}].", number)
    call.store.remove_events("schedule.act", number)
    call.store.remove(record)


def forget(store: Store, kind: str, parent: int) -> None:
    """Forget all scheduled actions of an object."""
    for one in actions_of(store, kind, parent):
        store.remove_events("schedule.act", one.oid)
        store.remove(one)
