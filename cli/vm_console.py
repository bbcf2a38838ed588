"""The command `gurney appliance console`: what a VM's console has shown, or where it can be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.console import print_json
from cli.desk import JSON, at_desk, check_names
from cli.visit import BRANCH

if TYPE_CHECKING:
    from cli.desk import Where


@click.command()
@at_desk
@JSON
@click.option("-n", "--lines", default=200, show_default=True, type=click.IntRange(1), help="How many of the newest.")
@BRANCH
def console(where: Where, lines: int, branch: str, *, as_json: bool) -> None:
    """Show what the console of an appliance's VM has shown, such as the fingerprint of its host key.

    The embedded cloud keeps it. A real front end hands no console over through its API: the commands are told by which
    an admin of the hosts opens it.
    """
    from provision.access import login_file
    from provision.planning.found import found
    from provision.visit.console import console_of

    community, desk = where.opened()
    check_names([branch], community)
    shown = console_of(found(desk, community.community), branch, desk.cloud.endpoint, login_file())
    if as_json:
        print_json({**vars(shown), "ways": list(shown.ways()), "lines": shown.lines(lines)})
        return
    if shown.log is not None:
        click.echo("\n".join(shown.lines(lines)))
        return
    click.echo(f"{branch} is VM {shown.vm_id}, {shown.state}, on {shown.host or 'no host'}. Its console:", err=True)
    for way in shown.ways():
        click.echo(way)
