"""The pictures of a branch whose appliance is a virtual machine: fetched from its page, since its disk is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.demo.branch import checked

if TYPE_CHECKING:
    from pathlib import Path

    from cli.demo.branch import Session


def fetch_pictures(session: Session, folder: Path) -> None:
    """Lay out every picture that the branch has as its shared folder does; one that is there is not fetched again."""
    folder.mkdir(parents=True, exist_ok=True)
    for study in session.get("/api/studies"):
        for series in session.get(f"/api/studies/{study['address']}")["series"]:
            for instance in series["instances"]:
                for picture in instance["pictures"]:
                    _fetch(session, picture["url"], folder / picture["path"])


def _fetch(session: Session, url: str, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(checked(session.branch.name, session.client.get(url)).content)
