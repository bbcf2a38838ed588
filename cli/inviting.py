"""Invitation codes reach the admin whatever becomes of the command: what is published of them is only their digests."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from cli.console import print_json, results

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.desk import Desk


@contextmanager
def never_lost(desk: Desk, *, as_json: bool) -> Iterator[None]:
    """Print the invitations that were made in the block, should it break off before its own report shows them."""
    try:
        yield
    except BaseException:
        if desk.invitations:
            show(desk, as_json=as_json)
        raise


def show(desk: Desk, *, as_json: bool) -> None:
    """Print what was made at a desk, for people or for programs."""
    from cli.plan_view import invitation_table

    if as_json:
        print_json({"invitations": [vars(each) for each in desk.invitations]})
    else:
        results().print(invitation_table(desk.invitations))
