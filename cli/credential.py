"""The command `gurney credential`: a new login token for a branch's person with an OpenNebula account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.console import print_json, results
from cli.desk import JSON, at_desk, check_names

if TYPE_CHECKING:
    from cli.desk import Where


@click.command()
@click.argument("branch")
@click.argument("login")
@at_desk
@JSON
def credential(branch: str, login: str, where: Where, *, as_json: bool) -> None:
    """Write a new login token for LOGIN of BRANCH to a file, encrypted where the community file names a key.

    For a person who lost the first one, or did not use it within its week. Older tokens stay good until they expire.
    """
    from provision.enrolling.credential import anew
    from provision.planning.found import found

    community, desk = where.opened()
    check_names([branch], community)
    path = anew(desk, community, found(desk, community.community), branch, login)
    if as_json:
        print_json({"branch": branch, "login": login, "file": str(path)})
    else:
        results().print(f"{path} holds a login token, for a week: hand it over, and delete the file.")
