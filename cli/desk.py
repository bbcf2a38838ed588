"""What every command of an admin shares: its options, and the desk that they open."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.planning.plan import Plan
    from provision.upload.uploads import Uploads

FILE = click.option(
    "-f", "--file", "file", default="community.yaml", show_default=True, type=click.Path(path_type=Path),
    help="The community file.",
)  # fmt: skip


def _not_empty(_context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Refuse an empty text, as of a variable that is not set: another cloud or exchange would be taken in its place."""
    if text is not None and not text.strip():
        raise click.BadParameter("it is empty", param=parameter)
    return text


ENDPOINT = click.option(
    "--endpoint", callback=_not_empty, help="The front end's XML-RPC address.  [default: $ONE_XMLRPC]"
)
EXCHANGE = click.option(
    "--exchange", callback=_not_empty, help="How to reach the exchange, instead of the file's exchange.admin."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for programs.")
YES = click.option("--yes", is_flag=True, help="Do not ask.")
ALLOW = click.option(
    "--allow-destroy", "allow", multiple=True, metavar="BRANCH", help="Let this branch's archive be lost (repeatable)."
)
TAKE_OVER = click.option("--take-over", is_flag=True, help="Take the place of another admin's apply that is dead.")


@dataclass(frozen=True)
class Where:
    """Where an admin works: the community file, and how its cloud and its exchange are reached."""

    file: Path
    endpoint: str | None
    exchange: str | None

    def opened(self) -> tuple[Community, Desk]:
        """The community of the file, and the admin's desk for it."""
        from exchange.stores import open_store
        from provision.access import cloud_at
        from provision.declaring.reading import load
        from provision.desk import Desk
        from provision.enrolling.identity import own_identity

        community = load(self.file)
        cloud = cloud_at(self.endpoint)
        store = open_store(self.exchange or community.exchange.admin)
        return community, Desk(cloud, store, own_identity(), uploads_for(community, self.file))


def at_desk(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say where an admin works, as its argument `where`."""

    @FILE
    @ENDPOINT
    @EXCHANGE
    @wraps(command)
    def told(*, file: Path, endpoint: str | None, exchange: str | None, **others: Any) -> None:
        command(where=Where(file, endpoint, exchange), **others)

    return told


def check_writable(folder: Path, option: str) -> None:
    """Refuse a folder that nothing can be written to, before the work whose result shall lie there."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise click.BadParameter(f"nothing can be written to {folder}", param_hint=option)


def check_names(names: Iterable[str], community: Community) -> None:
    """Refuse a name that no branch of the community file has."""
    for name in names:
        if name not in community.branches:
            there = ", ".join(community.branches)
            raise click.UsageError(f"the community file declares no branch {name!r}; there are {there}")


def uploads_for(community: Community, file: Path) -> Uploads | None:
    """What brings images from beside the community file to the front end, where the file says how."""
    from exchange.ssh_host import SshHost
    from provision.upload.uploads import Uploads

    where = community.cloud.upload
    return Uploads(SshHost.of(where), file.resolve().parent) if where else None


def planned(desk: Desk, community: Community) -> Plan:
    """What apply would change now."""
    from provision.planning.found import found
    from provision.planning.plan import plan as planned_from
    from provision.upload.other_content import other_contents

    now = found(desk, community.community)
    the_plan = planned_from(community, now)
    return replace(the_plan, obstacles=(*the_plan.obstacles, *other_contents(desk, community, now)))
