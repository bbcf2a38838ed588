"""Virtual machines as pools and documents show them, and changing what is written about one.

References: OpenNebula src/vm/VirtualMachine.cc `to_xml_short`, src/vm/VirtualMachinePool.cc.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from emulator import quota
from emulator.access import require, use
from emulator.document import InOrder, element
from emulator.errors import Code, Refused
from emulator.objects import scheduled_action
from emulator.objects.ownership import chown
from emulator.objects.shared import change_template, chosen, common, rendered
from emulator.objects.vm_action import require_to
from emulator.objects.vm_flow import charged
from emulator.objects.vm_state import DONE

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Handler, Table

SHORT = (
    "ID", "UID", "GID", "UNAME", "GNAME", "NAME", "LAST_POLL", "STATE", "LCM_STATE", "RESCHED", "STIME", "ETIME",
    "DEPLOY_ID",
)  # fmt: skip
SHORT_TEMPLATE = {
    "CPU": (), "MEMORY": (), "VCPU": (),
    "DISK": (
        "DISK_ID", "DATASTORE", "DATASTORE_ID", "IMAGE", "IMAGE_ID", "SIZE", "TYPE", "CLONE", "CLONE_TARGET",
        "LN_TARGET", "DISK_SNAPSHOT_TOTAL_SIZE",
    ),
    "NIC": ("IP", "MAC", "NETWORK", "NETWORK_ID", "NIC_ID", "SECURITY_GROUPS"),
    "GRAPHICS": ("LISTEN", "PASSWD", "PORT", "TYPE"),
}  # fmt: skip
SHORT_HISTORY = ("OID", "SEQ", "HOSTNAME", "HID", "CID", "DS_ID", "VM_MAD", "TM_MAD", "ACTION")


def view(vm: Record) -> Body:
    """The full document."""
    return vm.body


def info(call: Call, oid: int, decrypt: bool = False) -> str:  # noqa: ARG001 - an API's parameter
    """Show a virtual machine, with its scheduled actions."""
    vm = call.get("vm", oid)
    require(call, use(vm, despite_lock=True))
    actions = scheduled_action.actions_of(call.store, "VM", oid) if vm.body["SCHED_ACTIONS"] else []
    if not actions:
        return rendered(vm, view)
    template = InOrder({name: _sorted(vm.template[name]) for name in sorted(vm.template)})
    template["SCHED_ACTION"] = scheduled_action.shown(actions)
    return element("VM", {**vm.body, "TEMPLATE": template})


def _sorted(values: list[Any]) -> list[Any]:
    return [dict(sorted(one.items())) if isinstance(one, dict) else one for one in values]


def short_view(vm: Record) -> Body:
    """The document in one.vmpool.info: no permissions, few attributes, the newest history record."""
    body = vm.body
    records = body["HISTORY_RECORDS"].get("HISTORY", [])[-1:]
    known = {"VCPU": [""], **vm.template}
    template = {key: _picked(known[key], keys) for key, keys in SHORT_TEMPLATE.items() if key in known}
    history = [{key: record[key] for key in SHORT_HISTORY} for record in records]
    return {
        **{key: body[key] for key in SHORT},
        "TEMPLATE": InOrder(template),
        "MONITORING": body["MONITORING"],
        "USER_TEMPLATE": {},
        "HISTORY_RECORDS": {"HISTORY": history} if history else {},
    }


def _picked(values: list[Any], keys: tuple[str, ...]) -> list[Any]:
    return [{key: one[key] for key in keys if key in one} if isinstance(one, dict) else one for one in values]


def _in_state(state: int) -> Handler:
    return {-2: lambda _vm: True, -1: lambda vm: vm.state != DONE}.get(state, lambda vm: vm.state == state)


def _pool(variant: str) -> Handler:
    def answer(call: Call, filter_flag: int, start: int, end: int, state: int, query: str = "") -> str:
        """Show virtual machines, by state."""
        if filter_flag < -4:
            raise Refused(Code.API, "Incorrect filter_flag")
        if query:
            raise Refused(Code.INTERNAL, "JSON query search is not supported by the SQL backend")
        machines = chosen(call, "vm", filter_flag, start, end, _in_state(state))
        seen = short_view if variant else view
        return f"<VM_POOL>{''.join([rendered(vm, seen, variant) for vm in machines])}</VM_POOL>"

    return answer


def infoset(call: Call, ids: str, extended: bool = True) -> str:
    """Show virtual machines by id."""
    wanted = {int(one) for one in ids.split(",") if one.strip().isdigit()}
    machines = chosen(call, "vm", -2, -1, -1, lambda vm: vm.oid in wanted)
    shown = [rendered(vm, view if extended else short_view, "" if extended else "short") for vm in machines]
    return f"<VM_POOL>{''.join(shown)}</VM_POOL>"


def update(call: Call, oid: int, text: str, mode: int = 0) -> int:
    """Change the user's attributes of a virtual machine."""
    vm = call.get("vm", oid)
    require_to(call, vm, "update")
    change_template(call, vm, text, mode, restrictions="VM_RESTRICTED_ATTR", key="USER_TEMPLATE")
    return oid


def monitoring(call: Call, oid: int) -> str:
    """Show what a virtual machine told."""
    vm = call.get("vm", oid)
    require(call, use(vm, despite_lock=True))
    return element("MONITORING_DATA", _told(vm))


def _told(vm: Record) -> Body:
    return {"MONITORING": vm.body["MONITORING"]} if vm.body["MONITORING"] else {}


def pool_monitoring(call: Call, filter_flag: int, seconds: int = -1) -> str:  # noqa: ARG001  (an API's parameter)
    """Show what virtual machines told."""
    machines = chosen(call, "vm", filter_flag, -1, -1, lambda vm: vm.state != DONE and bool(vm.body["MONITORING"]))
    return element("MONITORING_DATA", {"MONITORING": [vm.body["MONITORING"] for vm in reversed(machines)]})


def accounting(call: Call, filter_flag: int, start: int, end: int) -> str:
    """Show who used what: all history records."""
    machines = chosen(call, "vm", filter_flag, -1, -1)
    records = [
        {**record, "VM": {**vm.body, "HISTORY_RECORDS": {}}}
        for vm in reversed(machines)
        for record in vm.body["HISTORY_RECORDS"].get("HISTORY", [])
        if (start == -1 or not record["ETIME"] or record["ETIME"] > start) and (end == -1 or record["STIME"] <= end)
    ]
    return element("HISTORY_RECORDS", {"HISTORY": records} if records else {})


def showback(
    call: Call,
    filter_flag: int,
    start_month: int,  # noqa: ARG001 - an API's parameter
    start_year: int,  # noqa: ARG001 - an API's parameter
    end_month: int,  # noqa: ARG001 - an API's parameter
    end_year: int,  # noqa: ARG001 - an API's parameter
) -> str:
    """Show what use costs: nothing is charged for here."""
    records = [
        _free_of_charge(vm, one)
        for vm in reversed(chosen(call, "vm", filter_flag, -1, -1))
        for one in call.store.all("showback")
        if vm.oid in one.hidden["vms"]
    ]
    return element("SHOWBACK_RECORDS", {"SHOWBACK": records} if records else {})


def _free_of_charge(vm: Record, month: Record) -> Body:
    who = {key: vm.body[key] for key in ("UID", "GID", "UNAME", "GNAME")}
    costs = dict.fromkeys(("CPU_COST", "MEMORY_COST", "DISK_COST", "TOTAL_COST"), 0)
    when = {"YEAR": month.hidden["year"], "MONTH": month.hidden["month"]}
    return {"VMID": vm.oid, "VMNAME": vm.name, **who, **when, **costs, "HOURS": "0.00", "RHOURS": "0.00"}


def calculateshowback(
    call: Call,
    start_month: int,  # noqa: ARG001  (an API's parameter)
    start_year: int,  # noqa: ARG001  (an API's parameter)
    end_month: int,  # noqa: ARG001  (an API's parameter)
    end_year: int,  # noqa: ARG001  (an API's parameter)
) -> str:
    """Work out what use costs."""
    if call.caller.gid != 0:
        words = "Action reserved for group 0 only"
        raise Refused(Code.AUTHORIZATION, f"User [{call.caller.uid}] : {words}.")
    now = time.localtime(call.cloud.clock.now())
    started = [vm.oid for vm in call.store.all("vm") if vm.body["HISTORY_RECORDS"]]
    call.store.add("showback", 0, {}, {"year": now.tm_year, "month": now.tm_mon, "vms": started})
    return " "


def move_quota(call: Call, vm: Record, uid: int, gid: int) -> None:
    """Count a virtual machine to its new owners."""
    if vm.state == DONE:
        return
    new_uid, new_gid = (vm.uid if uid < 0 else uid), (vm.gid if gid < 0 else gid)
    for usage in charged(vm):
        quota.release(call.store, vm.uid if uid >= 0 else -1, vm.gid if gid >= 0 else -1, usage)
        quota.charge(call.store, new_uid if uid >= 0 else -1, new_gid if gid >= 0 else -1, usage)


TABLE: Table = {
    **common("vm", info=info, update=update, chown=chown("vm", before=move_quota)),
    "one.vm.monitoring": monitoring,
    "one.vmpool.info": _pool("short"),
    "one.vmpool.infoextended": _pool(""),
    "one.vmpool.infoset": infoset,
    "one.vmpool.monitoring": pool_monitoring,
    "one.vmpool.accounting": accounting,
    "one.vmpool.showback": showback,
    "one.vmpool.calculateshowback": calculateshowback,
}
