"""Invitation codes, and where secrets were written, reach the admin whatever becomes of the command.

What is published of a code is only its digest, and of a file with a secret nobody else says that it is there.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cli.console import print_json, results
from cli.ending import ended_by_signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.desk import Desk


@contextmanager
def never_lost(desk: Desk, *, as_json: bool) -> Iterator[None]:
    """Print what was made in the block for people to keep, should it break off before its own report shows that.

    A signal that ends the command ends it as Ctrl-C does.
    """
    try:
        with ended_by_signals():
            yield
    except BaseException:
        if desk.invitations or desk.notes:
            show(desk, as_json=as_json)
        raise


def show(desk: Desk, *, as_json: bool) -> None:
    """Print what was made at a desk, for people or for programs."""
    from cli.plan_view import invitation_table

    if as_json:
        print_json(made_at(desk))
        return
    if desk.invitations:
        results().print(invitation_table(desk.invitations))
    for note in desk.notes:
        results().print(note, markup=False)


def made_at(desk: Desk) -> dict[str, Any]:
    """What was made at a desk, for programs."""
    return {"invitations": [vars(each) for each in desk.invitations], "notes": desk.notes}
