"""A file on the workstation that is not the one which OpenNebula was given under its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.node import first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.planning.found import Found

#: What is noted on an image of the file that it was made of.
SHA256 = "GURNEY_SHA256"


def other_contents(desk: Desk, community: Community, found: Found) -> Iterator[str]:
    """Why the declared OS image is not the file that lies here, with what to do; nothing where it is."""
    source = community.image.source
    for _, node in found.view.ours("appliance-image") if desk.uploads is not None else ():
        noted = first(node.attributes(), SHA256)
        if not noted or node.text("PATH") != source:
            continue
        here = desk.uploads.digest(source) if desk.uploads is not None else ""
        if here not in {"", noted}:
            yield (
                f"the file of {source} beside the community file (SHA-256 {here[:16]}...) is not the one that image "
                f"{node.name} was made of ({noted[:16]}...), and appliances boot that: give the new one another name, "
                "here and in `image: {path: ...}`, and they move to it; nothing of an archive is lost"
            )
