"""Hooks: commands tied to calls or states. They are kept and shown; the embedded cloud runs no commands.

References: OpenNebula src/hm/Hook.cc, src/hm/HookAPI.cc, src/hm/HookStateVM.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import create, manage, require, use
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects.ownership import lock, unlock
from emulator.objects.shared import info, owned_pool, rename, update
from emulator.objects.vm_state import LCM, STATE_WORDS
from emulator.template import first, parse, take

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table

# What ON says of a virtual machine, as STATE and LCM_STATE.
VM_CONDITIONS = {
    "PROLOG": ("ACTIVE", "PROLOG"),
    "RUNNING": ("ACTIVE", "RUNNING"),
    "SHUTDOWN": ("ACTIVE", "EPILOG"),
    "STOP": ("STOPPED", "LCM_INIT"),
    "DONE": ("DONE", "LCM_INIT"),
    "UNKNOWN": ("ACTIVE", "UNKNOWN"),
}


def view(hook: Record) -> Body:
    """The document: no command is run, so nothing is logged."""
    return {**hook.body, "HOOKLOG": {}}


def pool_view(hook: Record) -> Body:
    """The document in the pool."""
    return hook.body


def allocate(call: Call, text: str) -> int:
    """Keep a hook."""
    template = parse(text)
    require(call, create("hook"))
    name, kind = take(template, "NAME"), take(template, "TYPE").lower()
    _check_kind(call, template, kind)
    if not first(template, "COMMAND"):
        raise Refused(Code.INTERNAL, "No COMMAND in template for Hook.")
    check_name(call.store, "hook", name)
    template.setdefault("REMOTE", ["NO"])
    oid = call.store.next_id("hook")
    call.store.add("hook", oid, {"ID": oid, "NAME": name, "TYPE": kind, "TEMPLATE": template})
    return oid


def _check_kind(call: Call, template: Body, kind: str) -> None:
    if kind not in {"api", "state"}:
        raise Refused(Code.INTERNAL, f"Invalid Hook type: {kind}")
    if kind == "state":
        _check_state(template)
    elif first(template, "COMMAND") and first(template, "CALL") not in call.cloud.methods:
        text = f"API call does not exist or is not supported: {first(template, 'CALL')}"
        raise Refused(Code.INTERNAL, text)


def _check_state(template: Body) -> None:
    if first(template, "RESOURCE").upper() != "VM":
        return
    condition = take(template, "ON").upper()
    if condition == "CUSTOM":
        state, lcm_state = first(template, "STATE"), first(template, "LCM_STATE")
    elif condition in VM_CONDITIONS:
        state, lcm_state = VM_CONDITIONS[condition]
    else:
        raise Refused(Code.INTERNAL, f"Unkown state condition: {condition}")
    if state not in STATE_WORDS:
        raise Refused(Code.INTERNAL, f"Wrong STATE: {state}")
    if lcm_state not in LCM and lcm_state != "LCM_INIT":
        raise Refused(Code.INTERNAL, f"Wrong LCM_STATE: {lcm_state}")
    template.update({"STATE": [state], "LCM_STATE": [lcm_state]})


def delete(call: Call, oid: int) -> int:
    """Forget a hook."""
    hook = call.get("hook", oid)
    require(call, manage(hook))
    call.store.remove(hook)
    return oid


def retry(call: Call, oid: int, execution: int) -> int:  # noqa: ARG001 - an API's parameter
    """Run a command again: there is none that ran."""
    require(call, use(call.get("hook", oid)))
    raise Refused(Code.INTERNAL, "Invalid HookLog body. Arguments not found.")


def log(call: Call, min_time: int, max_time: int, hook_id: int, rc: int) -> str:  # noqa: ARG001 - an API's parameters
    """Show which commands ran."""
    require(call, create("hook"))
    return "<HOOKLOG></HOOKLOG>"


TABLE: Table = {
    "one.hook.allocate": allocate,
    "one.hook.delete": delete,
    "one.hook.info": info("hook", view),
    "one.hook.lock": lock("hook"),
    "one.hook.rename": rename("hook"),
    "one.hook.retry": retry,
    "one.hook.unlock": unlock("hook"),
    "one.hook.update": update("hook"),
    "one.hookpool.info": owned_pool("hook", pool_view),
    "one.hooklog.info": log,
}
