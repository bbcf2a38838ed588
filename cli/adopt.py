"""The command `gurney adopt`: take over an object that Gurney did not make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.consent import consent
from cli.console import print_json, results
from cli.desk import JSON, TAKE_OVER, YES, at_desk

if TYPE_CHECKING:
    from cli.desk import Where


@click.command()
@click.argument("kind")
@click.argument("which", metavar="ID|NAME")
@click.option("--as", "branch", default="", metavar="BRANCH", help="The branch that it shall belong to; of an account "
              "BRANCH.LOGIN. Not for what is the community's own.")  # fmt: skip
@at_desk
@JSON
@YES
@TAKE_OVER
def adopt(kind: str, which: str, branch: str, where: Where, *, as_json: bool, yes: bool, take_over: bool) -> None:
    """Take an object over, so that from now on it is the community's; KIND as `gurney plan` names it.

    Its owner becomes the account that Gurney uses. What of it is not as declared, the next plan shows.
    """
    from provision.applying.adopt import adopt as adopt_one
    from provision.applying.adopt import candidate, declared_as
    from provision.planning.found import found

    community, desk = where.opened()
    resource = declared_as(community, kind, branch)
    node = candidate(found(desk, community.community), resource, which)
    question = f"Take over {kind} {node.name} (id {node.id}) for {branch or 'the community'}?"
    if not consent(question, yes=yes, as_json=as_json):
        return
    adopt_one(desk, community, kind, str(node.id), branch, take_over=take_over)
    if as_json:
        print_json({"kind": kind, "id": node.id, "name": node.name, "branch": branch})
    else:
        words = f"{kind} {node.name} is ours now: `gurney plan` shows what of it is not as declared."
        results().print(words, markup=False)
