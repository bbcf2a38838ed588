"""What happens when a host dies, the front end is lost, or an archive is: said from what stands in the cloud now."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from provision.fleet.last_backup import last_backup
from provision.kinds.host_hook import THE_HOOK
from provision.kinds.vm_group import THE_GROUP
from provision.node import first
from provision.planning.resource import Ref
from provision.vm_state import host_of, last_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.node import Node
    from provision.planning.found import Found

#: Seconds until OpenNebula takes a silent host for failed (share/hooks/ft/host_error.rb waits five rounds of 60 s after
#: the host is in ERROR, which it is some 90 s after its last word), and until an appliance answers again.
NOTICED_S, BOOT_S = 90 + 5 * 60, 60
#: What a restored archive is written with, MiB a second: a plain disk's share.
RESTORE_MIB_S = 100


@dataclass(frozen=True)
class Scene:
    """One thing that can go wrong, and what comes of it.

    Attributes
    ----------
    event
        `host`, `front-end` or `archive`.
    name
        Which host, or whose archive.
    branches
        Who is without an appliance meanwhile.
    course
        What happens, one sentence after the other.
    rpo_s
        Seconds of images that are lost at most; None: all that the branch ever received.
    rto_s
        Seconds until service is back; None: when people have repaired it.
    advice
        What would make it better.
    """

    event: str
    name: str
    branches: tuple[str, ...]
    course: tuple[str, ...]
    rpo_s: float | None
    rto_s: float | None
    advice: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """The scene for programs."""
        return asdict(self)


def scenes(found: Found, now: datetime | None = None) -> Iterator[Scene]:
    """Every scene that the found cloud can play."""
    moment = now or datetime.now(UTC)
    for host in found.pools.nodes["host"]:
        branches = branches_on(found, host)
        if branches:
            yield _host_dies(found, host, branches)
    yield _front_end_is_lost(found)
    for branch in sorted(found.view.appliances):
        yield _archive_is_lost(found, branch, moment)


def branches_on(found: Found, host: Node) -> tuple[str, ...]:
    """The branches whose appliances run on a host."""
    return tuple(sorted(name for name, vm in found.view.appliances.items() if host_of(vm) == host.name))


def _host_dies(found: Found, host: Node, branches: tuple[str, ...]) -> Scene:
    datastores = {name: _system_of(found, name) for name in branches}
    apart = sorted({node.name for node in datastores.values() if node is not None and not _is_shared(node)})
    hooked = Ref(THE_HOOK.kind, THE_HOOK.key) in found.resources
    room = _room_beside(found, host, branches)
    fenced = bool(first(host.attributes(), "FENCE_IP"))
    gone = f"The appliances of {', '.join(branches)} are gone with {host.name}; scanners are refused meanwhile."
    if hooked and fenced and not apart and room:
        moved = (
            "OpenNebula's hook cuts the host off and starts them on another host, from the storage that hosts share."
        )
        return Scene("host", host.name, branches, (gone, moved, NOTHING_LOST), 0, NOTICED_S + BOOT_S)
    return Scene(
        "host",
        host.name,
        branches,
        (gone, UNTIL_BACK, *_disks(apart)),
        _rpo_of_host(apart),
        None,
        (*_advice_for_hosts(hooked=hooked, apart=apart, room=room), *([] if fenced else [FENCE.format(host.name)])),
    )


NOTHING_LOST = "What an appliance has acknowledged is on its archive: nothing is lost, and a sender repeats the rest."
FENCE = (
    "Set FENCE_IP on host {}, and fill in remotes/hooks/ft/fence_host.sh: the hook gives up where it cannot cut the "
    "host off, and starts nothing elsewhere."
)
UNTIL_BACK = "They stay away until the host is back, and are then started by hand (`onevm resume`)."


def _disks(apart: list[str]) -> Iterator[str]:
    if apart:
        yield (
            f"Datastore {', '.join(apart)} is not shared: the archives' newest content lies on that host's own disk. "
            "If the disk is lost with the host, it is as if the archives were lost."
        )
    yield NOTHING_LOST if not apart else "If the host comes back with its disk, nothing is lost."


def _rpo_of_host(apart: list[str]) -> float | None:
    return None if apart else 0


def _advice_for_hosts(*, hooked: bool, apart: list[str], room: bool) -> Iterator[str]:
    if apart:
        yield f"Use a system datastore that hosts share (NFS, Ceph, SAN) in place of {', '.join(apart)}."
    if not hooked:
        yield "Say `on_host_failure: restart` in the community file: the hook then starts appliances on another host."
    if not room:
        yield (
            "Leave room for them: no other host of the cluster has enough CPU and memory free (one does not count that "
            "runs an appliance from which they are kept apart)."
        )


def _room_beside(found: Found, host: Node, branches: tuple[str, ...]) -> bool:
    """Whether the cluster's other hosts can take the appliances, each one host at a time, those apart on several."""
    others = [each for each in found.pools.nodes["host"] if _could_help(each, host)]
    free = [(set(branches_on(found, each)), [_free(each, "CPU"), _free(each, "MEM")]) for each in others]
    for name in branches:
        told = found.view.appliances[name].attributes()
        needs = float(first(told, "CPU") or 0) * 100, float(first(told, "MEMORY") or 0) * 1024
        shunned = _kept_apart_from(found, name)
        fit = ((there, left) for there, left in free if left[0] >= needs[0] and left[1] >= needs[1])
        place = next((each for each in fit if not each[0] & shunned), None)
        if place is None:
            return False
        place[0].add(name)
        place[1][:] = place[1][0] - needs[0], place[1][1] - needs[1]
    return True


def _kept_apart_from(found: Found, branch: str) -> set[str]:
    """The branches whose appliances may not be on one host with a branch's."""
    group = found.resources.get(THE_GROUP)
    together = (each.roles for each in (group.spec.apart if group else ()) if branch in each.roles)
    return {name for roles in together for name in roles} - {branch}


#: Host states in which VMs are placed: MONITORING_MONITORED and MONITORED.
WORKING = frozenset({1, 2})


def _could_help(each: Node, host: Node) -> bool:
    same = each.number("CLUSTER_ID") == host.number("CLUSTER_ID")
    return each.id != host.id and same and each.number("STATE") in WORKING


def _free(host: Node, what: str) -> float:
    """CPU in hundredths, memory in KiB, as OpenNebula places by."""
    return float(host.text(f"HOST_SHARE/MAX_{what}", "0")) - float(host.text(f"HOST_SHARE/{what}_USAGE", "0"))


def _system_of(found: Found, branch: str) -> Node | None:
    record = last_record(found.view.appliances[branch])
    return found.pools.by_id["datastore"].get(record.number("DS_ID")) if record else None


def _is_shared(datastore: Node) -> bool:
    return first(datastore.attributes(), "SHARED").upper() == "YES"


def _front_end_is_lost(found: Found) -> Scene:
    course = (
        "Appliances run on: hosts need no front end for that. Scanners, doctors and referrals notice nothing.",
        "Nothing is placed, moved or changed until it is back; no hook acts when a host dies meanwhile.",
        "Reports through OneGate wait." if found.pools.has_onegate else "No OneGate is used here.",
        *LOST_DATABASE,
        *(f"If {name} lies on a disk of the front end, all that uses it stops with it." for name in _central(found)),
    )
    advice = ("Back up OpenNebula's database (onedb backup) every day, to another machine.",)
    return Scene("front-end", found.pools.version, (), course, 0, None, advice)


LOST_DATABASE = (
    "A new front end on a backup of the database goes on: `gurney plan` has nothing to do there.",
    "An empty one knows nothing: `gurney apply` would make everything again, with empty archives and new keys.",
    "The community's keys lie, locked, in a Document of the database: without a backup of it they are gone.",
    "Where no admin's own key opens them any more, the recovery secret does.",
)


def _central(found: Found) -> list[str]:
    """Datastores of ours that hosts reach over the network."""
    used = {each.spec.datastore for ref, each in found.resources.items() if ref.kind == "archive"}
    nodes = (found.view.standing("datastore", ref) for ref in sorted(used))
    return [f"datastore {node.name}" for node in nodes if node is not None and node.text("TM_MAD") == "shared"]


def _archive_is_lost(found: Found, branch: str, now: datetime) -> Scene:
    archive = found.resources.get(Ref("archive", branch))
    size_mib = archive.spec.size.mib if archive and archive.spec.size else 0
    backup = last_backup(found, branch)
    if backup is None:
        course = (
            f"All that {branch} ever received is lost, but for what it referred to other branches.",
            "`gurney apply` makes an empty archive; the appliance makes new keys (`gurney branch enrol --rekey`).",
        )
        advice = ("Keep backups: `backup:` in the community file, with an exchange that is no virtiofs folder.",)
        return Scene("archive", branch, (branch,), course, None, BOOT_S, advice)
    number, lost_s = backup.image, (now - backup.made).total_seconds()
    sent_again = f"What {branch} received since the backup of {backup} (image {number}) has to be sent again."
    if backup.former:
        return Scene("archive", branch, (branch,), (sent_again, OF_A_FORMER_VM.format(number)), lost_s, None)
    restored = f"`onevm restore {found.view.appliances[branch].id} {number}` brings the archive back."
    whole_s = size_mib / RESTORE_MIB_S + BOOT_S
    return Scene("archive", branch, (branch,), (sent_again, restored), lost_s, whole_s)


OF_A_FORMER_VM = (
    "It is of a machine that the branch has no more, so `onevm restore` refuses it: `oneimage restore {} -d DATASTORE` "
    "makes disks of it, and the archive's content is copied over by hand."
)
