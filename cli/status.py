"""The command `gurney status`: the fleet, one line a branch."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json, print_json_line, results
from cli.desk import JSON, at_desk, check_writable

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, ConsoleOptions, RenderResult

    from cli.desk import Where
    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.fleet.branch_status import BranchStatus
    from provision.fleet.glance import FleetLine
    from provision.planning.plan import Plan


#: Whom an appliance answers when it is asked how it is (C-ECHO is for anyone).
CALLING = "GURNEY"


@click.command()
@at_desk
@JSON
@click.option("--watch", is_flag=True, help="Look again and again, until interrupted.")
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(0.1),
    default=5.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option(
    "--prometheus", type=click.Path(path_type=Path), help="Write a textfile for the Prometheus node exporter."
)
def status(where: Where, interval_s: float, prometheus: Path | None, *, as_json: bool, watch: bool) -> None:
    """Show how each branch's appliance is: its VM, whether it answers, quota, space, backup and drift.

    With --watch the table is renewed in place; into a file or a pipe each look is written below the last one, with its
    time, and with --json as a line of JSON.
    """
    if prometheus is not None:
        check_writable(prometheus.parent, "--prometheus")
    community, desk = where.opened()
    if watch:
        _watch(partial(look, desk, community, prometheus), interval_s, as_json=as_json)
        return
    seen = look(desk, community, prometheus)
    if as_json:
        print_json(seen.to_json())
    else:
        results().print(seen)


def _watch(look_again: Callable[[], Fleet], interval_s: float, *, as_json: bool) -> None:
    """Look until interrupted: on a terminal in place, elsewhere one below the other, for programs a line each time."""
    console = results()
    if as_json or not console.is_terminal:
        show = partial(_append, console, as_json=as_json)
        while True:
            show(look_again())
            time.sleep(interval_s)
    from rich.live import Live

    # A fleet that is longer than the screen is shown whole, and below the one before.
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        while True:
            live.update(look_again(), refresh=True)
            time.sleep(interval_s)


def _append(console: Console, seen: Fleet, *, as_json: bool) -> None:
    """Say how the fleet was, and when."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    if as_json:
        print_json_line({"at": at, **seen.to_json()})
        return
    console.print(at)
    console.print(seen)


@dataclass(frozen=True)
class Fleet:
    """The fleet at one look: its branches, the plan, and who answers C-ECHO."""

    lines: list[FleetLine]
    plan: Plan
    echoes: dict[str, bool]

    def to_json(self) -> dict[str, Any]:
        """What was seen, as one object."""
        branches = [{**line.to_json(), "echo": self.echoes[line.status.name]} for line in self.lines]
        return {"branches": branches, "drift": self.plan.to_json(), "conditions": list(self.plan.conditions)}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, and what there is to say besides, as rich asks for them."""
        from rich.markup import escape

        from cli.plan_view import fleet_table

        yield fleet_table(self.lines, self.echoes)
        yield from (f"[cyan]Note:[/cyan] {escape(words)}" for words in (*self.plan.conditions, *self.plan.foreign))


def look(desk: Desk, community: Community, prometheus: Path | None) -> Fleet:
    """The fleet as it is now."""
    from provision.fleet.glance import fleet
    from provision.fleet.metrics import write_metrics
    from provision.planning.found import found
    from provision.planning.plan import plan as planned_from

    now = found(desk, community.community)
    plan = planned_from(community, now)
    lines = list(fleet(community, now, plan))
    if prometheus is not None:
        write_metrics(prometheus, community.community, lines)
    with ThreadPoolExecutor(8) as askers:
        echoes = askers.map(answers_echo, [line.status for line in lines])
        return Fleet(lines, plan, dict(zip([line.status.name for line in lines], echoes, strict=True)))


def answers_echo(status: BranchStatus) -> bool:
    """Whether a branch's appliance answers C-ECHO; one whose page is silent is not asked."""
    if not status.answers:
        return False
    from appliance.dimse.scu import Peer, echo

    return echo(Peer.at(status.dicom), calling=CALLING)
