"""Backup jobs: virtual machines that are backed up together, one after the other.

References: OpenNebula src/vm/BackupJob.cc, src/rm/api/BackupJobAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import create, manage, require, use
from emulator.document import InOrder, element, ids
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects import scheduled_action, vm_backup
from emulator.objects.ownership import owner_body, permissions
from emulator.objects.shared import common, owned_pool, update
from emulator.template import first, parse, take, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud, Event
    from emulator.record import Body, Record
    from emulator.registry import Table

DEFAULTS = {
    "BACKUP_VMS": "",
    "BACKUP_VOLATILE": "NO",
    "DATASTORE_ID": "-1",
    "EXECUTION": "SEQUENTIAL",
    "FS_FREEZE": "NONE",
    "KEEP_LAST": "0",
    "MODE": "FULL",
}
DEFAULT_PRIORITY, MAX_PRIORITY = 50, 99
LISTS = ("UPDATED_VMS", "OUTDATED_VMS", "BACKING_UP_VMS", "ERROR_VMS")
SCHEDULE = "BACKUPJOB"


def allocate(call: Call, text: str) -> int:
    """Make a backup job, with its schedule."""
    template = parse(text)
    require(call, create("backupjob", call.caller.gid))
    name = take(template, "NAME")
    check_name(call.store, "backupjob", name, call.caller.uid)
    priority = _checked_priority(call, whole(take(template, "PRIORITY"), DEFAULT_PRIORITY))
    schedule = template.pop("SCHED_ACTION", [])
    for key, value in DEFAULTS.items():
        template.setdefault(key, [value])
    oid = call.store.next_id("backupjob")
    _take_machines(call, oid, template)
    body = {
        **owner_body(call.caller, oid, name),
        "PERMISSIONS": permissions(),
        "PRIORITY": priority,
        "LAST_BACKUP_TIME": 0,
        "LAST_BACKUP_DURATION": 0,
        "SCHED_ACTIONS": {},
        **{key: {} for key in LISTS},
        "TEMPLATE": template,
    }
    job = call.store.add("backupjob", oid, body)
    for action in schedule:
        _schedule(call, job, {"SCHED_ACTION": [action]})
    return oid


def _checked_priority(call: Call, priority: int) -> int:
    if not 0 <= priority <= MAX_PRIORITY or (priority > DEFAULT_PRIORITY and not call.caller.is_admin):
        raise Refused(Code.ACTION, "Wrong priority value")
    return priority


def _machines(template: Body) -> list[int]:
    return [int(one) for one in first(template, "BACKUP_VMS").split(",") if one.strip().isdigit()]


def _take_machines(call: Call, oid: int, template: Body) -> None:
    """Tell virtual machines that they belong to a job; one belongs to one job."""
    found = [vm for number in _machines(template) if (vm := call.store.get("vm", number)) is not None]
    require(call, *(manage(vm) for vm in found))
    for vm in found:
        held = vm.body["BACKUPS"]["BACKUP_CONFIG"].get("BACKUP_JOB_ID", str(oid))
        if held != str(oid):
            text = f"Unable to add VM {vm.oid} to Backup Job {oid}. It's already in Backup Job {held}"
            raise Refused(Code.INTERNAL, text)
        call.store.edit(vm).body["BACKUPS"]["BACKUP_CONFIG"]["BACKUP_JOB_ID"] = str(oid)


def _leave_machines(call: Call, oid: int, template: Body) -> None:
    for number in _machines(template):
        vm = call.store.get("vm", number)
        if vm is not None and vm.body["BACKUPS"]["BACKUP_CONFIG"].get("BACKUP_JOB_ID") == str(oid):
            del call.store.edit(vm).body["BACKUPS"]["BACKUP_CONFIG"]["BACKUP_JOB_ID"]


def info(call: Call, oid: int, decrypt: bool = False) -> str:  # noqa: ARG001 - an API's parameter
    """Show a backup job, with its scheduled actions."""
    job = call.get("backupjob", oid)
    require(call, use(job, despite_lock=True))
    actions = scheduled_action.actions_of(call.store, SCHEDULE, oid)
    template = InOrder({name: job.template[name] for name in sorted(job.template)})
    if actions:
        template["SCHED_ACTION"] = scheduled_action.shown(actions)
    return element("BACKUPJOB", {**job.body, "TEMPLATE": template})


def _updated(call: Call, job: Record, old: Body) -> None:
    for key, value in DEFAULTS.items():
        job.template.setdefault(key, [value])
    if _machines(job.template) != _machines(old):
        _leave_machines(call, job.oid, old)
        _take_machines(call, job.oid, job.template)


def set_priority(call: Call, oid: int, priority: int) -> int:
    """Say which jobs go first."""
    checked = _checked_priority(call, priority)
    job = call.get("backupjob", oid)
    require(call, manage(job))
    call.store.edit(job).body["PRIORITY"] = checked
    return oid


def delete(call: Call, oid: int) -> int:
    """Forget a backup job; its backups stay."""
    job = call.get("backupjob", oid)
    require(call, manage(job))
    _leave_machines(call, oid, job.template)
    scheduled_action.forget(call.store, SCHEDULE, oid)
    call.store.remove(job)
    return oid


def _schedule(call: Call, job: Record, asked: str | Body) -> int:
    number = scheduled_action.add(call, SCHEDULE, job.oid, asked, 0)
    _list_schedule(call, job)
    return number


def _list_schedule(call: Call, job: Record) -> None:
    numbers = [one.oid for one in scheduled_action.actions_of(call.store, SCHEDULE, job.oid)]
    call.store.edit(job).body["SCHED_ACTIONS"] = ids(numbers)


def schedadd(call: Call, oid: int, text: str) -> int:
    """Schedule a backup."""
    job = call.get("backupjob", oid)
    require(call, manage(job))
    return _schedule(call, job, text)


def schedupdate(call: Call, oid: int, number: int, text: str) -> int:
    """Change when to back up."""
    require(call, manage(call.get("backupjob", oid)))
    return scheduled_action.update(call, number, text, 0)


def scheddelete(call: Call, oid: int, number: int) -> int:
    """Forget a scheduled backup."""
    job = call.get("backupjob", oid)
    require(call, manage(job))
    scheduled_action.delete(call, number)
    _list_schedule(call, job)
    return number


def backup(call: Call, oid: int) -> int:
    """Back all virtual machines of a job up, now."""
    job = call.get("backupjob", oid)
    require(call, manage(job))
    begin(call.cloud, job)
    return oid


def begin(cloud: Cloud, job: Record) -> None:
    """Let a job's virtual machines wait for their backup."""
    body = cloud.store.edit(job).body
    body.update({key: {} for key in LISTS})
    body.update({"OUTDATED_VMS": ids(_machines(job.template)), "LAST_BACKUP_TIME": cloud.clock.seconds()})
    cloud.later(cloud.pace.backup_job_s, "backupjob.next", job.oid)


def cancel(call: Call, oid: int) -> int:
    """Back up no more of a job's virtual machines."""
    job = call.get("backupjob", oid)
    require(call, manage(job))
    call.store.edit(job).body.update({"OUTDATED_VMS": {}, "BACKING_UP_VMS": {}})
    return oid


def retry(call: Call, oid: int) -> int:
    """Back up again what could not be."""
    job = call.get("backupjob", oid)
    require(call, manage(job))
    body = call.store.edit(job).body
    body["OUTDATED_VMS"] = ids([*body["OUTDATED_VMS"].get("ID", []), *body["ERROR_VMS"].get("ID", [])])
    body["ERROR_VMS"] = {}
    call.cloud.later(call.cloud.pace.backup_job_s, "backupjob.next", oid)
    return oid


def next_one(cloud: Cloud, oid: int, _arguments: Body) -> None:
    """Back the next virtual machine of a job up."""
    job = cloud.store.get("backupjob", oid)
    waiting = job.body["OUTDATED_VMS"].get("ID", []) if job else []
    if job is None or not waiting:
        return
    body = cloud.store.edit(job).body
    body["OUTDATED_VMS"] = ids(waiting[1:])
    outcome = "UPDATED_VMS" if _back_up(cloud, job, waiting[0]) else "ERROR_VMS"
    body[outcome] = ids([*body[outcome].get("ID", []), waiting[0]])
    body["LAST_BACKUP_DURATION"] = cloud.clock.seconds() - body["LAST_BACKUP_TIME"]
    cloud.later(cloud.pace.vm_step_s, "backupjob.next", oid)


def _back_up(cloud: Cloud, job: Record, vm_id: int) -> bool:
    call = cloud.as_administrator("backupjob")
    try:
        vm_backup.backup(call, vm_id, whole(first(job.template, "DATASTORE_ID")))
    except Refused:
        return False
    return True


TABLE: Table = {
    **common(
        "backupjob",
        allocate=allocate,
        info=info,
        update=update("backupjob", after=_updated),
        delete=delete,
        priority=set_priority,
        schedadd=schedadd,
        schedupdate=schedupdate,
        scheddelete=scheddelete,
        backup=backup,
        cancel=cancel,
        retry=retry,
    ),
    "one.backupjobpool.info": owned_pool("backupjob"),
}
EVENTS: dict[str, Event] = {"backupjob.next": next_one}
