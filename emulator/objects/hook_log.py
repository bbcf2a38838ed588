"""Executions of hooks: running one, what came of it, running it again.

References: OpenNebula src/hem/onehem-server.rb, src/hm/HookLog.cc, src/rm/api/HookPoolAPI.cc.
"""

from __future__ import annotations

import base64
import textwrap
from functools import partial
from typing import TYPE_CHECKING

from emulator.access import manage, require
from emulator.document import element
from emulator.errors import Code, Refused
from emulator.hook_script import HOOKS, REMOTE_HOOKS, Outcome, Script
from emulator.template import first, is_yes, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud, Event
    from emulator.record import Body, Record
    from emulator.registry import Table

LOG = "log"
NO_SSH = 255
LINE = 60  # as Ruby's Base64.encode64 wraps


def run(cloud: Cloud, oid: int, arguments: Body) -> None:
    """Start a hook's command; OpenNebula runs nothing, and notes nothing, where a remote one has no host."""
    hook = cloud.store.get("hook", oid)
    if hook is None:
        return
    host, remote = arguments["host"], is_yes(first(hook.template, "REMOTE"))
    if remote and not host:
        return
    script = _script(hook, arguments["text"], REMOTE_HOOKS if remote else HOOKS)
    told = {"text": arguments["text"], "host": host if remote or arguments["retry"] else "", **_retry(arguments)}
    if remote and cloud.power.is_cut(host):
        no_way = Outcome(NO_SSH, b"", f"ssh: connect to host {host} port 22: No route to host\n".encode())
        note(cloud, oid, script, told, no_way)
    else:
        cloud.scripts.start(script, partial(_ended, cloud, oid, script, told))


def _retry(arguments: Body) -> Body:
    return {"retry": True} if arguments["retry"] else {}


def _script(hook: Record, arguments: str, folder: str) -> Script:
    template = hook.template
    command = first(template, "COMMAND")
    command = command if command.startswith("/") else f"{folder}/{command}"
    timeout_s = whole(first(template, "TIMEOUT"), 0) or None
    if is_yes(first(template, "ARGUMENTS_STDIN")):
        return Script(command, arguments, timeout_s)
    return Script(f"{command} {arguments}".rstrip(), "", timeout_s)


def _ended(cloud: Cloud, oid: int, script: Script, told: Body, outcome: Outcome) -> None:
    with cloud.store.transaction():
        note(cloud, oid, script, told, outcome)


def note(cloud: Cloud, oid: int, script: Script, told: Body, outcome: Outcome) -> None:
    """Remember an execution; the oldest are forgotten, as LOG_RETENTION says."""
    hook = cloud.store.get("hook", oid)
    if hook is None:
        return
    log: list[Body] = hook.hidden.get(LOG, [])
    record = {
        "HOOK_ID": oid,
        "EXECUTION_ID": log[-1]["EXECUTION_ID"] + 1 if log else 0,
        "TIMESTAMP": cloud.clock.seconds(),
        "ARGUMENTS": told["text"],
        "EXECUTION_RESULT": {
            "COMMAND": script.command,
            "STDOUT": _encoded(outcome.stdout),
            "STDERR": _encoded(outcome.stderr),
            "CODE": outcome.code,
        },
        **({"REMOTE_HOST": told["host"]} if told["host"] else {}),
        **({"RETRY": "yes"} if told.get("retry") else {}),
    }
    about = cloud.configuration.vector("HOOK_LOG_CONF") or {}
    cloud.store.edit(hook).hidden[LOG] = [*log, record][-whole(about.get("LOG_RETENTION"), 20) :]


def _encoded(data: bytes) -> str:
    encoded = base64.b64encode(data).decode()
    return "".join(f"{line}\n" for line in textwrap.wrap(encoded, LINE))


def retry(call: Call, oid: int, execution: int) -> int:
    """Run a hook's command again, with the arguments of an execution."""
    hook = call.get("hook", oid)
    require(call, manage(hook))
    old = next((one for one in hook.hidden.get(LOG, []) if one["EXECUTION_ID"] == execution), None)
    if old is None:
        raise Refused(Code.INTERNAL, "Invalid HookLog body. Arguments not found.")
    call.cloud.later(0.0, "hook.run", oid, text=old["ARGUMENTS"], host=old.get("REMOTE_HOST", ""), retry=True)
    return oid


def info(call: Call, min_time: int, max_time: int, hook_id: int, rc: int) -> str:
    """Show which commands ran: after and before a time, of one hook, that failed (-1) or did not (1)."""
    if not call.caller.is_admin:
        raise Refused(Code.AUTHORIZATION, f"User [{call.caller.uid}] not authorized to perform action on -.")
    records = [
        one
        for hook in reversed(call.store.all("hook"))
        if hook_id in {hook.oid, -1}
        for one in hook.hidden.get(LOG, [])
        if _is_within(one, min_time, max_time) and _is_wanted(one, rc)
    ]
    return element("HOOKLOG", {"HOOK_EXECUTION_RECORD": records})


def _is_within(record: Body, min_time: int, max_time: int) -> bool:
    time: int = record["TIMESTAMP"]
    return (min_time < 0 or time > min_time) and (max_time < 0 or time < max_time)


def _is_wanted(record: Body, rc: int) -> bool:
    failed: bool = record["EXECUTION_RESULT"]["CODE"] != 0
    return {-1: failed, 1: not failed}.get(rc, True)


TABLE: Table = {"one.hook.retry": retry, "one.hooklog.info": info}
EVENTS: dict[str, Event] = {"hook.run": run}
