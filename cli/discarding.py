"""The command `gurney branch discard-keys`: the way to other keys of the community's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.consent import consent
from cli.console import print_json
from cli.desk import JSON, TAKE_OVER, YES, at_desk

if TYPE_CHECKING:
    from cli.desk import Where

ASKED = (
    "Throw away the keys of {community}? The next apply makes others, with a new recovery secret and a new authority; "
    "branches are enrolled anew, and everybody is invited anew."
)
NEXT = (
    "The keys are gone. Now `gurney apply --wait`, and `gurney branch enrol` where there is no OneGate; then have the "
    "new authority's certificate installed (/trust)."
)


@click.command("discard-keys")
@at_desk
@JSON
@YES
@TAKE_OVER
def discard_keys(where: Where, *, as_json: bool, yes: bool, take_over: bool) -> None:
    """Throw the community's keys away because they may be stolen; the next apply makes others.

    Nothing that they signed is carried over. Until that apply, appliances go on with what they know; archives, the
    branches' own keys and passwords stay.
    """
    from provision.enrolling.discarding import discard_keys as discard

    community, desk = where.opened()
    if not consent(ASKED.format(community=community.community), yes=yes, as_json=as_json):
        return
    discard(desk, community, take_over=take_over)
    if as_json:
        print_json({"discarded": community.community})
    click.echo(NEXT, err=True)
