"""The community's keys thrown away, because they may be stolen: the next apply makes others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.enrolling.alone import alone
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from provision.declaring.community import Community
    from provision.desk import Desk


def discard_keys(desk: Desk, community: Community, *, take_over: bool = False) -> None:
    """Delete the Document that holds the keys, and nothing else.

    Nothing that they signed is carried over: who has them can have signed anything. The next apply makes other keys,
    tells every VM by its context, and takes branches up anew, by the keys that their appliances prove.

    Parameters
    ----------
    take_over
        Take the place of another admin's apply that is known to be dead.

    Raises
    ------
    ProvisionError
        There are none; or a branch is revoked and still declared, and would be taken up again.
    Busy
        Another admin applies.
    """
    with alone(desk, community.community, take_over=take_over) as now:
        document = dict(now.view.ours("keys")).get("")
        if document is None:
            raise ProvisionError("the community has no keys: `gurney apply` makes them")
        directory = now.view.published.directory
        revoked = [each.name for each in (directory.branches if directory else ()) if each.revoked]
        if again := sorted(set(revoked) & {community.first_name(name) for name in community.branches}):
            names = ", ".join(again)
            raise ProvisionError(
                f"{names}: revoked, and still in the community file. The next directory knows of no revocation: take "
                "the branch out of the file and apply first, or have it back by `branch enrol --rekey`"
            )
        desk.cloud.call("document.delete", document.id)
