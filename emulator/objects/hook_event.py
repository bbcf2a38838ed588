"""What hooks are told of: calls that were answered, and objects that changed their state.

References: OpenNebula src/hm/HookAPI.cc `format_message`, src/hm/HookStateVM.cc, src/hem/onehem-server.rb `arguments`.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from emulator.document import text as character_data
from emulator.errors import Refused
from emulator.kinds import KINDS
from emulator.objects.image import LOCKED_USED, LOCKED_USED_PERS
from emulator.objects.image import STATE_WORDS as IMAGE_WORDS
from emulator.objects.vm_history import last
from emulator.objects.vm_state import LCM_WORDS
from emulator.objects.vm_state import STATE_WORDS as VM_WORDS
from emulator.template import first

if TYPE_CHECKING:
    from emulator.cloud import Cloud
    from emulator.record import Record
    from emulator.store import State

HOST_WORDS = {0: "INIT", 2: "MONITORED", 3: "ERROR", 4: "DISABLED", 8: "OFFLINE"}
NETWORK_WORDS = ("INIT", "READY", "LOCK_CREATE", "LOCK_DELETE", "DONE", "ERROR", "UPDATE_FAILURE")
RESOURCES = {"vm": "VM", "host": "HOST", "image": "IMAGE", "vn": "NET"}
SECRET = "****"  # noqa: S105  (what stands for one)
# Which parameters, the session being the first, are nobody's to read.
SECRETS = {"one.user.allocate": 3, "one.user.passwd": 3, "one.user.login": 3, "one.user.chauth": 4}
SECRET_ANSWERS = {"one.user.login"}


class CallEvent:
    """A call on its way, for the hooks that wait for it.

    Parameters
    ----------
    method
        Its name.
    values
        Its parameters without the session.
    """

    def __init__(self, cloud: Cloud, method: str, values: list[Any]) -> None:
        self._cloud, self._method, self._values = cloud, method, values
        with cloud.store.lock:
            self._hooks = [hook.oid for hook in cloud.store.all("hook") if first(hook.template, "CALL") == method]
            self._noun, _, verb = method.removeprefix("one.").partition(".")
            deletes = bool(self._hooks) and verb == "delete" and bool(values)
            self._extra = document_of(cloud, self._noun, values[0]) if deletes else ""
            self._allocates = verb == "allocate"

    def answered(self, reply: list[Any]) -> None:
        """Let the hooks run."""
        if not self._hooks:
            return
        with self._cloud.store.transaction():
            api = _encoded(self._document(reply))
            for oid in self._hooks:
                _trigger(self._cloud, oid, {"$API": api, "$TEMPLATE": ""}, "")

    def _document(self, reply: list[Any]) -> str:
        if self._allocates and reply[0]:
            self._extra = document_of(self._cloud, self._noun, reply[1])
        hidden = SECRETS.get(self._method, 0)
        given = [SECRET, *(SECRET if place == hidden else one for place, one in enumerate(self._values, start=2))]
        told = [SECRET if place == 2 and self._method in SECRET_ANSWERS else one for place, one in _numbered(reply)]
        parameters = "".join([_parameters("IN", given), _parameters("OUT", told)])
        result = f"<RESULT>{int(reply[0])}</RESULT><PARAMETERS>{parameters}</PARAMETERS>"
        return f"<CALL_INFO>{result}<EXTRA>{self._extra}</EXTRA></CALL_INFO>"


def _numbered(values: list[Any]) -> list[tuple[int, Any]]:
    return list(enumerate(values, start=1))


def _parameters(kind: str, values: list[Any]) -> str:
    return "".join(
        f"<PARAMETER><POSITION>{number}</POSITION><TYPE>{kind}</TYPE><VALUE>{_value(value)}</VALUE></PARAMETER>"
        for number, value in _numbered(values)
    )


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else character_data(str(value))


def state_changed(cloud: Cloud, record: Record, old: State | None) -> None:
    """Let the hooks run that wait for the state in which an object is now; must run in a transaction."""
    words = state_words(record)
    wanted = (RESOURCES[record.kind], *words)
    hooks = [hook.oid for hook in cloud.store.all("hook") if _waits_for(hook) == wanted]
    if not hooks:
        return
    document = document_of(cloud, record.kind, record.oid)
    if old is not None:
        document = re.sub(r"<PREV_STATE>\d+", f"<PREV_STATE>{old[0]}", document, count=1)
        document = re.sub(r"<PREV_LCM_STATE>\d+", f"<PREV_LCM_STATE>{old[1]}", document, count=1)
    for oid in hooks:
        _trigger(cloud, oid, {"$TEMPLATE": _encoded(document), "$API": ""}, _host_of(record))


def state_words(record: Record) -> tuple[str, str]:
    """What hooks call the state of an object; the second is a virtual machine's LCM_STATE."""
    state = record.state
    if record.kind == "vm":
        return VM_WORDS[state], LCM_WORDS[record.body["LCM_STATE"]]
    if record.kind == "host":
        return HOST_WORDS.get(state, ""), ""
    if record.kind == "vn":
        return NETWORK_WORDS[state], ""
    return "LOCKED_USED" if state in {LOCKED_USED, LOCKED_USED_PERS} else IMAGE_WORDS[state], ""


def _waits_for(hook: Record) -> tuple[str, str, str]:
    template = hook.template
    return first(template, "RESOURCE"), first(template, "STATE"), first(template, "LCM_STATE")


def _host_of(record: Record) -> str:
    if record.kind == "vm":
        return str(last(record).get("HOSTNAME", ""))
    return record.name if record.kind == "host" else ""


def document_of(cloud: Cloud, kind: str, oid: int) -> str:
    """An object's document as the administrator reads it; "" where there is none."""
    if kind not in KINDS or not isinstance(oid, int):
        return ""
    try:
        call = cloud.as_administrator("hook")
        return str(cloud.method(f"one.{kind}.info").handler(call, oid))
    except Refused:
        return ""


def _encoded(document: str) -> str:
    return base64.b64encode(document.encode()).decode()


def _trigger(cloud: Cloud, oid: int, values: dict[str, str], host: str) -> None:
    hook = cloud.store.get("hook", oid)
    if hook is not None:
        words = [values.get(word, word) for word in first(hook.template, "ARGUMENTS").split()]
        cloud.later(0.0, "hook.run", oid, text=" ".join(words).strip(), host=host, retry=False)
