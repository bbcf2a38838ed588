"""The command `gurney status`: the fleet, one line a branch."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.console import print_json, results
from cli.desk import JSON, at_desk

if TYPE_CHECKING:
    from rich.console import RenderableType

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
    """Show how each branch's appliance is: its VM, whether it answers, quota, space, backup and drift."""
    if prometheus is not None and not os.access(prometheus.parent, os.W_OK | os.X_OK):
        raise click.BadParameter(f"nothing can be written to {prometheus.parent}", param_hint="--prometheus")
    community, desk = where.opened()
    if not watch:
        lines, plan, echoes = look(desk, community, prometheus)
        show(lines, plan, echoes, as_json=as_json)
        return
    from rich.live import Live

    with Live(console=results(), auto_refresh=False) as live:
        while True:
            lines, plan, echoes = look(desk, community, prometheus)
            if as_json:
                show(lines, plan, echoes, as_json=True)
            else:
                live.update(table_of(lines, echoes), refresh=True)
            time.sleep(interval_s)


def look(desk: Desk, community: Community, prometheus: Path | None) -> tuple[list[FleetLine], Plan, dict[str, bool]]:
    """The fleet as it is now, the plan, and who answers C-ECHO."""
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
        return lines, plan, dict(zip([line.status.name for line in lines], echoes, strict=True))


def answers_echo(status: BranchStatus) -> bool:
    """Whether a branch's appliance answers C-ECHO; one whose page is silent is not asked."""
    if not status.answers:
        return False
    from appliance.dimse.scu import Peer, echo

    ae_title, _, place = status.dicom.partition("@")
    host, _, port = place.rpartition(":")
    return echo(Peer(ae_title, host.strip("[]"), int(port)), calling=CALLING)


def show(lines: list[FleetLine], plan: Plan, echoes: dict[str, bool], *, as_json: bool) -> None:
    """Print the fleet, for people or for programs."""
    if as_json:
        branches = [{**line.to_json(), "echo": echoes[line.status.name]} for line in lines]
        print_json({"branches": branches, "drift": plan.to_json(), "conditions": list(plan.conditions)})
        return
    from rich.markup import escape

    console = results()
    console.print(table_of(lines, echoes))
    for words in (*plan.conditions, *plan.foreign):
        console.print(f"[cyan]Note:[/cyan] {escape(words)}")


def table_of(lines: list[FleetLine], echoes: dict[str, bool]) -> RenderableType:
    """The fleet as a table."""
    from cli.plan_view import fleet_table

    return fleet_table(lines, echoes)
