"""OpenNebula's own backups of the appliances: one job for the community, at declared times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from provision.kind import MERGE, Kind, permitting, renaming
from provision.node import first
from provision.planning.marks import object_name
from provision.planning.resource import Existing, Ref, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.kind import Act
    from provision.node import Node
    from provision.planning.view import View

#: Days of the week as OpenNebula counts them: 0 is Sunday.
WEEK = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

#: REPEAT of a scheduled action (include/ScheduledAction.h): on days of the week.
WEEKLY = 0

DAY_S = 24 * 3600


@dataclass(frozen=True, order=True)
class Schedule:
    """Days of the week (0 is Sunday), and seconds since midnight, UTC; `repeat` is OpenNebula's own number."""

    days: tuple[int, ...]
    second: int
    repeat: int = WEEKLY

    def next(self, now: datetime) -> int:
        """The first time after a moment, in seconds since the epoch."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        times = (midnight + timedelta(days=ahead, seconds=self.second) for ahead in range(8))
        return next(int(each.timestamp()) for each in times if each > now and each.isoweekday() % 7 in self.days)

    def __str__(self) -> str:
        days = " ".join(WEEK[day] if day < len(WEEK) else f"day {day}" for day in self.days)
        often = "" if self.repeat == WEEKLY else f" (OpenNebula's REPEAT {self.repeat})"
        return f"{days} at {self.second // 3600:02}:{self.second // 60 % 60:02} UTC{often}"


@dataclass(frozen=True)
class BackupJob:
    """How a backup job is."""

    mode: str
    vms: frozenset[Ref]
    datastore: Ref
    keep_last: int
    freeze: str
    schedules: tuple[Schedule, ...]


def declared(community: Community) -> Iterator[Resource]:
    """One job for the community, where it declares backups."""
    backup = community.backup
    if backup is not None:
        days = tuple(sorted(WEEK.index(day) for day in backup.days))
        spec = BackupJob(
            mode="600",
            vms=frozenset(Ref("appliance", name) for name in community.branches),
            datastore=Ref("datastore", backup.datastore),
            keep_last=backup.keep_last,
            freeze=backup.freeze.upper(),
            schedules=(Schedule(days, backup.at.second_of_day),),
        )
        yield Resource(Ref("backup-job"), object_name(community.community, "backup"), spec)


def found(view: View) -> Iterator[Existing]:
    """The job, if it stands; its schedule is in no pool, and is asked for."""
    machines = {node.id: Ref("appliance", key) for key, node in view.appliances.items()}
    for key, node in view.ours("backup-job"):
        told = node.attributes()
        numbers = [int(number) for number in first(told, "BACKUP_VMS").split(",") if number.strip()]
        spec = BackupJob(
            mode=node.mode,
            vms=frozenset(machines.get(number, Ref("#vm", str(number))) for number in numbers),
            datastore=view.ref("datastore", int(first(told, "DATASTORE_ID") or -1)),
            keep_last=int(first(told, "KEEP_LAST") or 0),
            freeze=first(told, "FS_FREEZE"),
            schedules=tuple(sorted(_schedule(action) for action in _actions(view, node))),
        )
        yield Existing(Ref("backup-job", key), node.name, spec, node.id, key, node)


def _actions(view: View, node: Node) -> Iterator[Node]:
    """The scheduled actions of a job."""
    if node.ids("SCHED_ACTIONS"):
        yield from view.pools.ask("backupjob.info", node.id, False).children("TEMPLATE/SCHED_ACTION")


def _schedule(action: Node) -> Schedule:
    """When an action is due; a day on which it runs is the front end's, the time is counted in seconds from then on."""
    days = tuple(sorted(int(day) for day in action.text("DAYS").split(",") if day.strip()))
    return Schedule(days, action.number("TIME", 0) % DAY_S, action.number("REPEAT"))


def create(act: Act, resource: Resource) -> int:
    """Make the job, with its schedule and its mark."""
    text = act.text("backup_job", resource, new=True, schedules=list(_told(resource)))
    return int(act.call("backupjob.allocate", text))


def _told(resource: Resource) -> Iterator[dict[str, object]]:
    """The schedules of a job as OpenNebula takes them, each from its next time on."""
    now = datetime.now(UTC)
    for each in resource.spec.schedules:
        yield {"repeat": each.repeat, "days": ",".join(str(day) for day in each.days), "time": each.next(now)}


def rewrite(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
    """Write what is backed up, and where to, anew."""
    act.call("backupjob.update", number, act.text("backup_job", resource, new=False, schedules=()), MERGE)


def reschedule(act: Act, resource: Resource, number: int, found: Existing | None) -> None:
    """Put the declared schedule in place of whatever there is."""
    assert found is not None
    assert found.node is not None
    for schedule in _told(resource):
        act.call("backupjob.schedadd", number, act.text("schedule", resource, schedule=schedule))
    for action in found.node.ids("SCHED_ACTIONS"):
        act.call("backupjob.scheddelete", number, action)


def remove(act: Act, found: Existing) -> None:
    """Delete the job; the backups that it made stay."""
    act.call("backupjob.delete", found.id)


KIND = Kind(
    name="backup-job",
    declared=declared,
    found=found,
    create=create,
    in_place={
        **dict.fromkeys(("key", "vms", "datastore", "keep_last", "freeze"), rewrite),
        "schedules": reschedule,
        "name": renaming("backupjob"),
        "mode": permitting("backupjob"),
    },
    later=("mode",),
    remove=remove,
)
