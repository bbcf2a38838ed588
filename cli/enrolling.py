"""How branches are enrolled from the command line: each has a line of its own, and one that fails fails alone."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cli.console import progress_console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.enrolling.published import NewInvitation
    from provision.enrolling.report import Report
    from provision.planning.found import Found


@dataclass(frozen=True)
class Ways:
    """How appliances are reached over SSH, and whether they are although the cloud has OneGate."""

    port: int
    identity: Path | None
    host_keys: Mapping[str, str]
    by_ssh: bool


@dataclass(frozen=True)
class Enrolled:
    """Whose keys the directory holds now, and who was not enrolled, and why."""

    directory_version: int
    fingerprints: Mapping[str, str]
    failures: Mapping[str, str]
    invitations: tuple[NewInvitation, ...] = field(repr=False, default=())

    def to_json(self) -> dict[str, Any]:
        """What was done, as one object."""
        return {
            "directory_version": self.directory_version,
            "enrolled": dict(self.fingerprints),
            "failures": dict(self.failures),
            "invitations": [vars(each) for each in self.invitations],
        }


def enrolled(
    work: tuple[Community, Desk], names: Sequence[str], ways: Ways, rekey: Mapping[str, str], *, quiet: bool
) -> Enrolled:
    """Ask the named branches for their keys, take up what can be taken up, and say how each one fared."""
    from provision.enrolling.enrolment import enrol
    from provision.planning.found import found

    community, desk = work
    now = found(desk, community.community)
    failures = {name: words for name in names if (words := unfit(community, now, name))}
    with lines(names, quiet=quiet) as tell:
        for name, words in failures.items():
            tell(name, words)
        fit = [name for name in names if name not in failures]
        reports, silent = asked(community, now, fit, ways, tell)
        done = enrol(desk, community, reports=reports, rekey=rekey)
        failures |= {**silent, **{name: words for name, words in done.refused.items() if name in fit}}
        for name in reports:
            tell(name, failures.get(name, "enrolled"))
    return Enrolled(done.directory_version, fingerprints_of(desk, community, names), failures, done.invitations)


def unfit(community: Community, now: Found, name: str) -> str:
    """Why a branch cannot be asked; empty where it can."""
    if name not in community.branches:
        return "the community file declares no such branch"
    if now.keys is None:
        return "the community has no keys yet: run `gurney apply` first"
    return "" if name in now.view.appliances else "it has no VM that `gurney apply` made"


def asked(
    community: Community, now: Found, names: Sequence[str], ways: Ways, tell: Callable[[str, str], None]
) -> tuple[dict[str, Report], dict[str, str]]:
    """What appliances report, by OneGate where they did, and else over SSH; and why others do not."""
    from provision.enrolling.report import reported
    from provision.visit.identity import identity_of
    from provision.visit.machines import machines
    from provision.visit.rounds import visit_all

    by_onegate = reported(now.view) if now.pools.has_onegate and not ways.by_ssh else {}
    reports = {name: by_onegate[name] for name in names if name in by_onegate}
    to_ask = [name for name in names if name not in reports]
    of = machines(community, now, to_ask, port=ways.port, identity=ways.identity, compared=ways.host_keys)
    visits = visit_all(list(of.values()), identity_of, lambda full, words: tell(full.partition(".")[2], words))
    by_full = {machine.name: name for name, machine in of.items()}
    reports |= {by_full[full]: report for full, report in visits.answers.items()}
    return reports, {by_full[full]: str(error) for full, error in visits.failures.items()}


def fingerprints_of(desk: Desk, community: Community, names: Sequence[str]) -> dict[str, str]:
    """The fingerprints of those of the branches that the directory names."""
    from provision.planning.found import found

    known = found(desk, community.community).view.published.enrolled
    entries = {name: known.get(community.first_name(name)) for name in names if name in community.branches}
    return {name: entry.keys.fingerprint for name, entry in entries.items() if entry is not None}


@contextmanager
def lines(names: Sequence[str], *, quiet: bool) -> Iterator[Callable[[str, str], None]]:
    """A line for each branch, which says how far it is; plain lines where nobody looks at a terminal."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = progress_console()
    words = (TextColumn(f"{{{field}}}", markup=False) for field in ("task.fields[name]", "task.description"))
    columns = (SpinnerColumn(finished_text=" "), *words)
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=quiet or not console.is_terminal) as bar:
        tasks = {name: bar.add_task("asking", name=name, total=None) for name in dict.fromkeys(names)}

        def tell(name: str, words: str) -> None:
            bar.update(tasks[name], description=words)
            if not quiet and not console.is_terminal:
                console.print(f"{name}: {words}", markup=False)

        yield tell
