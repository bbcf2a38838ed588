"""Limits for the users and groups that have none of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import quota
from emulator.document import element
from emulator.errors import Code, Refused
from emulator.template import parse, vectors

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.registry import Handler, Table


def _info(kind: str) -> Handler:
    def answer(call: Call) -> str:
        """Show the default limits."""
        return element(f"DEFAULT_{kind.upper()}_QUOTAS", quota.shown_quotas(quota.default_quotas(call.store, kind)))

    return answer


def _update(kind: str) -> Handler:
    def answer(call: Call, text: str) -> str:
        """Set the default limits, and show them."""
        if call.caller.gid != 0:
            words = "The default quotas can only be updated by users in the oneadmin group"
            raise Refused(Code.AUTHORIZATION, f"User [{call.caller.uid}] : {words}.")
        wanted = vectors(parse(text), "VM")
        if len(wanted) > 1:
            raise Refused(Code.ACTION, "Only one default VM quota can be defined")
        if any(one.get("CLUSTER_IDS") for one in wanted):
            raise Refused(Code.ACTION, "CLUSTER_IDS attribute is not allowed for default VM quota")
        record = call.store.edit(call.get("defaults", 0))
        quota.set_limits(record.hidden[kind], text, is_default=True)
        return str(_info(kind)(call))

    return answer


TABLE: Table = {
    "one.userquota.info": _info("user"),
    "one.userquota.update": _update("user"),
    "one.groupquota.info": _info("group"),
    "one.groupquota.update": _update("group"),
}
