"""What the demonstration tells at its end: a person in tables, programs in one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.tree import Tree

from cli import console
from cli.table import Table

if TYPE_CHECKING:
    from pathlib import Path

    from cli.demo.stops import Stop
    from cli.demo.walk import Walk

#: What becomes of it all, by whether the demonstration stays up and whether its state is kept.
_ENDINGS = {
    (True, True): "Stop with Ctrl-C; then every process ends, and all state stays in {state}.",
    (True, False): "Stop with Ctrl-C; then every process ends, and {state} is removed.",
    (False, True): "Everything was stopped again; all state stays in {state}.",
    (False, False): "Everything was stopped and removed again; --keep DIR leaves it to look at.",
}

#: A folder of the tree shows this many pictures and counts the rest.
PICTURES_SHOWN = 3


def as_json(walk: Walk) -> dict[str, Any]:
    """The one object for programs."""
    return {
        "community": walk.community.community,
        "cloud": {"endpoint": walk.cloud.endpoint, "auth_file": str(walk.cloud.auth_file)},
        "state": str(walk.cloud.state),
        "steps": walk.steps,
        "plan_after_apply": walk.after.to_json(),
        "instances": walk.instances,
        "branches": {name: _branch_json(stop) for name, stop in walk.stops.items()},
        "referral": {
            "from": walk.referral.sender,
            "to": walk.referral.recipient,
            "sent": walk.referral.sent,
            "arrived": walk.referral.arrived,
            "parcels_seen": walk.referral.parcels,
            "could_not_open": list(walk.referral.outsiders),
        },
    }


def _branch_json(stop: Stop) -> dict[str, Any]:
    return {
        "dicom": str(stop.dicom),
        "http": stop.http,
        "shared_folder": stop.share,
        "folder": str(stop.folder),
        "pictures": len(stop.pictures()),
        "logins": [{"login": login.name, "role": login.role, "password": login.password} for login in stop.logins],
    }


def show(walk: Walk, *, stays: bool, kept: bool) -> None:
    """The tables for a person: what was made, what lies where, who can log in, and how to stop."""
    out = console.results()
    sender = walk.stops[walk.referral.sender]
    out.print(_tree(sender.folder))
    out.print(_branches(walk))
    out.print(_logins(walk))
    for line in _sentences(walk):
        out.print(line)
    out.print(_ENDINGS[stays, kept].format(state=walk.cloud.state))


def _branches(walk: Walk) -> Table:
    table = Table(("branch", "DICOM", "page", "pictures"), f"The community {walk.community.community}")
    for name, stop in walk.stops.items():
        table.add_row(name, str(stop.dicom), stop.http, str(len(stop.pictures())))
    return table


def _logins(walk: Walk) -> Table:
    table = Table(("branch", "login", "role", "password"), "Who can log in")
    for name, stop in walk.stops.items():
        for login in stop.logins:
            table.add_row(name, login.name, login.role, login.password)
    return table


def _tree(folder: Path) -> Tree:
    """The shared folder as a tree; long series are cut."""
    tree = Tree(f"[bold]{folder}[/]")
    _grow(tree, folder)
    return tree


def _grow(tree: Tree, folder: Path) -> None:
    entries = sorted(folder.iterdir())
    for entry in entries:
        if entry.is_dir():
            _grow(tree.add(entry.name), entry)
    pictures = [entry.name for entry in entries if entry.is_file()]
    for name in pictures[:PICTURES_SHOWN]:
        tree.add(name)
    if len(pictures) > PICTURES_SHOWN:
        tree.add(f"… and {len(pictures) - PICTURES_SHOWN} more")


def _sentences(walk: Walk) -> list[str]:
    """What a table does not say."""
    referral = walk.referral
    others = f" {', '.join(referral.outsiders)} could open none of them." if referral.outsiders else ""
    return [
        *(_where(stop) for stop in walk.stops.values()),
        f"A second plan has {len(walk.after)} steps.",
        f"Referral {referral.sender} → {referral.recipient}: {referral.arrived} of {referral.sent} instances arrived.",
        f"{referral.parcels} sealed files passed through the exchange.{others}",
    ]


def _where(stop: Stop) -> str:
    """Where the pictures of a branch are seen; nobody has opened a machine's share."""
    fetched = f"; its pictures, fetched from its page: {stop.folder}" if stop.keys is None else ""
    return f"Shared folder of {stop.name}: {stop.share}{fetched}"
