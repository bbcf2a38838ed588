"""Hooks: commands tied to calls or to states.

References: OpenNebula src/hm/Hook.cc, src/hm/HookAPI.cc, src/hm/HookStateVM.cc and its siblings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import create, manage, require
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects.hook_log import LOG
from emulator.objects.image import STATE_WORDS as IMAGE_WORDS
from emulator.objects.ownership import lock, unlock
from emulator.objects.shared import info, owned_pool, rename, update
from emulator.objects.vm_state import LCM, STATE_WORDS
from emulator.template import first, is_yes, parse, take

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
HOST_STATES = frozenset({"INIT", "MONITORED", "ERROR", "DISABLED", "OFFLINE"})
IMAGE_STATES = frozenset({*IMAGE_WORDS, "LOCKED_USED"} - {"INIT"})
SAME_STATES = {"USED_PERS": "USED", "LOCKED_USED_PERS": "LOCKED_USED"}
NETWORK_STATES = frozenset({"READY", "LOCK_CREATE", "LOCK_DELETE", "DONE", "ERROR", "UPDATE_FAILURE"})

# Calls that read are no events.
NOT_HOOKED = frozenset(
    f"one.{noun}{pool}.info"
    for noun in (
        "vm", "template", "host", "group", "vn", "user", "datastore", "image", "vntemplate", "cluster", "document",
        "zone", "secgroup", "vmgroup", "vdc", "vrouter", "market", "marketapp", "hook",
    )
    for pool in ("", "pool")
) | {
    "one.vmpool.infoextended", "one.groupquota.info", "one.userquota.info", "one.acl.info", "one.hooklog.info",
}  # fmt: skip


def view(hook: Record) -> Body:
    """The document, with the executions that are remembered."""
    return {**hook.body, "HOOKLOG": {"HOOK_EXECUTION_RECORD": hook.hidden.get(LOG, [])}}


def pool_view(hook: Record) -> Body:
    """The document in the pool."""
    return hook.body


def allocate(call: Call, text: str) -> int:
    """Keep a hook."""
    template = parse(text)
    require(call, create("hook"))
    name, kind = take(template, "NAME"), take(template, "TYPE").lower()
    if kind not in {"api", "state"}:
        raise Refused(Code.INTERNAL, f"Invalid Hook type: {kind}")
    check_name(call.store, "hook", name)
    if not first(template, "COMMAND"):
        raise Refused(Code.INTERNAL, "No COMMAND in template for Hook.")
    CHECKS[kind](call, template)
    template["REMOTE"] = ["YES" if is_yes(take(template, "REMOTE")) else "NO"]
    oid = call.store.next_id("hook")
    call.store.add("hook", oid, {"ID": oid, "NAME": name, "TYPE": kind, "TEMPLATE": template}, {LOG: []})
    return oid


def _check_call(call: Call, template: Body) -> None:
    if not _is_hooked(call, first(template, "CALL")):
        text = f"API call does not exist or is not supported: {first(template, 'CALL')}"
        raise Refused(Code.INTERNAL, text)


def _is_hooked(call: Call, method: str) -> bool:
    known = method in call.cloud.methods and method not in NOT_HOOKED
    return known or method.startswith("one.internal")


def _check_resource(_call: Call, template: Body) -> None:
    resource = first(template, "RESOURCE")
    if not resource:
        raise Refused(Code.INTERNAL, "RESOURCE attribute is required for STATE hooks.")
    if resource not in RESOURCES:
        raise Refused(Code.INTERNAL, f"Invalid resource type: {resource}")
    RESOURCES[resource](template)


def _check_host(template: Body) -> None:
    _take_state(template, HOST_STATES, "Invalid STATE: ")


def _check_image(template: Body) -> None:
    if not first(template, "STATE"):
        raise Refused(Code.INTERNAL, "Hook STATE attribute not found or invalid")
    _take_state(template, IMAGE_STATES, "Invalid or unkown STATE condition: ")


def _check_network(template: Body) -> None:
    _take_state(template, NETWORK_STATES, "Invalid STATE: ")


def _take_state(template: Body, states: frozenset[str], words: str) -> None:
    state = first(template, "STATE").upper()
    state = SAME_STATES.get(state, state)
    if state not in states:
        raise Refused(Code.INTERNAL, f"{words}{state}")
    template["STATE"] = [state]


def _check_vm(template: Body) -> None:
    condition = take(template, "ON").upper()
    if condition == "CUSTOM":
        state, lcm_state = first(template, "STATE"), first(template, "LCM_STATE")
    elif condition in VM_CONDITIONS:
        state, lcm_state = VM_CONDITIONS[condition]
    else:
        raise Refused(Code.INTERNAL, f"Unkown state condition: {condition}")
    if state not in STATE_WORDS:
        raise Refused(Code.INTERNAL, f"Wrong STATE: {state}")
    if lcm_state not in LCM:
        raise Refused(Code.INTERNAL, f"Wrong LCM_STATE: {lcm_state}")
    template.update({"STATE": [state], "LCM_STATE": [lcm_state]})


CHECKS: Mapping[str, Callable[[Call, Body], None]] = {"api": _check_call, "state": _check_resource}
RESOURCES: Mapping[str, Callable[[Body], None]] = {
    "VM": _check_vm,
    "HOST": _check_host,
    "IMAGE": _check_image,
    "NET": _check_network,
}
STATES: Mapping[str, frozenset[str]] = {
    "VM": frozenset(STATE_WORDS),
    "HOST": HOST_STATES,
    "IMAGE": IMAGE_STATES,
    "NET": NETWORK_STATES,
}


def _updated(call: Call, hook: Record, _old: Body) -> None:
    """Refuse a change after which the hook would say nothing."""
    template = hook.template
    template["REMOTE"] = ["YES" if is_yes(first(template, "REMOTE")) else "NO"]
    if not first(template, "COMMAND"):
        raise Refused(Code.INTERNAL, "The COMMAND attribute is not defined.")
    if hook.body["TYPE"] == "api":
        if not _is_hooked(call, first(template, "CALL")):
            raise Refused(Code.INTERNAL, "The CALL attribute is not defined or it's invalid.")
        return
    if first(template, "STATE").upper() not in STATES.get(first(template, "RESOURCE"), frozenset()):
        raise Refused(Code.INTERNAL, "The STATE attribute is not defined or it's invalid.")
    if first(template, "RESOURCE") == "VM" and first(template, "LCM_STATE") not in LCM:
        raise Refused(Code.INTERNAL, "The LCM_STATE attribute is not defined or it's invalid.")


def delete(call: Call, oid: int) -> int:
    """Forget a hook, and what it did."""
    hook = call.get("hook", oid)
    require(call, manage(hook))
    call.store.remove(hook)
    return oid


TABLE: Table = {
    "one.hook.allocate": allocate,
    "one.hook.delete": delete,
    "one.hook.info": info("hook", view),
    "one.hook.lock": lock("hook"),
    "one.hook.rename": rename("hook"),
    "one.hook.unlock": unlock("hook"),
    "one.hook.update": update("hook", after=_updated),
    "one.hookpool.info": owned_pool("hook", pool_view),
}
