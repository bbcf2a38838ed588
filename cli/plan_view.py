"""How a plan, the branches' state and invitations look to people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from cli.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provision.enrolling.published import NewInvitation
    from provision.fleet.branch_status import BranchStatus
    from provision.fleet.glance import FleetLine, Usage
    from provision.planning.plan import Plan
    from provision.planning.resource import Change
    from provision.planning.step import Step

#: What would look like a program's words.
WORDS: dict[Any, str] = {None: "none", True: "yes", False: "no", "": "nothing"}

#: Action to the sign before a step, and its colour.
SIGNS = {"create": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red")}


def plan_lines(plan: Plan) -> Iterator[str]:
    """A plan, branch by branch, in rich's markup."""
    if not plan and not plan.declared:
        yield f"Nothing of {plan.community} is in the cloud: nothing to do."
    elif not plan:
        yield f"The cloud is as {plan.community} declares it: nothing to do."
    for key in dict.fromkeys(step.branch for step in plan):
        yield f"[bold]{escape(key or 'the community')}[/bold]"
        for step in plan:
            if step.branch == key:
                yield from _step_lines(step)
    if plan:
        counts = Counter(step.action for step in plan)
        yield ", ".join(f"{counts[action]} to {action}" for action in SIGNS) + "."
    yield from (f"[cyan]Note:[/cyan] {escape(each)}" for each in plan.conditions)
    yield from (f"[cyan]Left alone:[/cyan] {escape(each)}" for each in plan.foreign)
    yield from (f"[red]Cannot be done:[/red] {escape(each)}" for each in plan.obstacles)


def _step_lines(step: Step) -> Iterator[str]:
    sign, colour = SIGNS[step.action]
    reason = f"  ({step.reason})" if step.reason else ""
    yield f"  [{colour}]{sign} {step.kind} {escape(step.name)}[/{colour}]{escape(reason)}"
    for change in step.changes:
        yield f"      {change.field}: {_change(change)}"
    if step.loses:
        yield f"      [bold red]loses {escape(step.loses)}[/bold red]"


def _change(change: Change) -> str:
    """Old and new value; of sets and lists only what goes and what comes, of named amounts each old and new one."""
    if isinstance(change.old, frozenset | tuple) and isinstance(change.new, frozenset | tuple):
        gone = [each for each in change.old if each not in change.new]
        come = [each for each in change.new if each not in change.old]
        parts = [*_amounts(gone, come), *_signed("-", "red", gone), *_signed("+", "green", come)]
        return ", ".join(parts) or "in another order, or of what is made anew"
    return _from_to(change.old, change.new)


def _amounts(gone: list[Any], come: list[Any]) -> Iterator[str]:
    """Named amounts that stand on both sides, old and new; they are taken out of both."""
    after = {each.label: each for each in come if hasattr(each, "label")}
    for old in [each for each in gone if getattr(each, "label", None) in after]:
        new = after[old.label]
        gone.remove(old)
        come.remove(new)
        yield f"{escape(old.label)} {_from_to(old.amount, new.amount)}"


def _signed(sign: str, colour: str, values: list[Any]) -> Iterator[str]:
    for each in sorted(values, key=str):
        yield f"[{colour}]{sign}{escape(_words(each))}[/{colour}]"


def _from_to(old: Any, new: Any) -> str:
    return f"[red]{escape(_words(old))}[/red] -> [green]{escape(_words(new))}[/green]"


def _words(value: Any) -> str:
    """A value for people: a pair as `from to`, what is there or not in words, nothing as nothing."""
    if isinstance(value, tuple):
        return " to ".join(str(each) for each in value)
    return WORDS.get(value, str(value)) if value is None or isinstance(value, bool | str) else str(value)


def status_table(branches: Iterable[BranchStatus], plan: Plan) -> Table:
    """One line a branch."""
    made = Table(("branch", "VM", "state", "page", "DICOM", "appliance", "drift"))
    drifted = Counter(step.branch for step in plan)
    for branch in branches:
        words = f"[{'green' if branch.ready else 'yellow'}]{escape(branch.words)}[/]"
        drift = f"[yellow]{drifted[branch.name]} steps[/yellow]" if drifted[branch.name] else "none"
        number = str(branch.vm_id) if branch.vm_id >= 0 else ""
        told = (escape(each) for each in (branch.state, branch.http, branch.dicom))
        made.add_row(branch.name, number, *told, words, drift)
    return made


def invitation_table(invitations: Iterable[NewInvitation]) -> Table:
    """Invitations, to be handed to people: each code is shown here and kept nowhere."""
    made = Table(("branch", "login", "role", "code", "until"), "Invitations (shown this once)")
    for each in invitations:
        made.add_row(each.branch, each.login, each.role, each.code, f"{each.expires:%Y-%m-%d %H:%M} UTC")
    return made


MIB = 1 << 20
FLEET = (
    "branch", "VM", "host", "HTTP", "C-ECHO", "drift", "CPU", "memory", "disk", "archive", "datastore free", "outbox",
    "backup",
)  # fmt: skip


def fleet_table(lines: Iterable[FleetLine], echoes: Mapping[str, bool]) -> Table:
    """One line a branch, of what the cloud and the appliances say."""
    made = Table(FLEET)
    for line in lines:
        status = line.status
        vm = f"{status.vm_id} {status.state}" if status.vm_id >= 0 else "none"
        made.add_row(
            status.name,
            escape(vm),
            escape(f"{line.host} {line.host_state}".strip()),
            _service(status),
            _coloured("answers" if echoes[status.name] else "silent", good=echoes[status.name]),
            _coloured(f"{line.drift} steps" if line.drift else "none", good=not line.drift),
            str(line.cpu),
            _of_gib(line.memory_mib),
            _of_gib(line.disk_mib),
            _archive(line),
            f"{line.datastore_free_mib / 1024:.0f} GiB",
            _outbox(line),
            str(line.last_backup or "never"),
        )
    return made


def _service(status: BranchStatus) -> str:
    given_up = f", {status.referrals_given_up} referrals given up" if status.referrals_given_up else ""
    needs = given_up or status.words != "ready"
    return _coloured(status.words + given_up, good=status.ready and not needs)


def _archive(line: FleetLine) -> str:
    """How much is used, where the appliance says so; its file system has a little less than its disk."""
    status, size = line.status, f"{line.archive_mib / 1024:g} GiB"
    used = (status.archive_bytes - status.archive_free_bytes) / 2**30
    return _coloured(f"{used:.0f}/{size}", good=not status.archive_nearly_full) if status.archive_bytes else size


def _outbox(line: FleetLine) -> str:
    used, limit = line.status.outbox_bytes, line.status.outbox_limit_bytes
    words = f"{used / MIB:.0f}/{limit / MIB:.0f} MiB" if limit else f"{used / MIB:.0f} MiB"
    return _coloured(words, good=not limit or used <= limit)


def _coloured(words: str, *, good: bool) -> str:
    return f"[{'green' if good else 'yellow'}]{escape(words)}[/]"


def _of_gib(usage: Usage) -> str:
    used = f"{usage.used / 1024:g}"
    return f"{used}/{usage.limit / 1024:g} GiB" if usage.limit >= 0 else f"{used} GiB"
