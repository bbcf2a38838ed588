"""One admin applies at a time: a Document in the cloud says who, from where, and what is being made."""

from __future__ import annotations

import secrets
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.applying.holder import holder_of, this_process
from provision.errors import Busy, CloudError, CloudUnreachable
from provision.kind import MERGE
from provision.node import first
from provision.planning.found import APPLYING, applying, undoing_in
from provision.planning.marks import Mark, object_name
from provision.pools import DOCUMENT_TYPE, POOLS, elements
from templates.rendering import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.desk import Desk
    from provision.node import Node

#: OpenNebula's lock against every action.
LOCK_ALL = 4
#: Tokens of this process's own applies that are over: what still stands of them, the cloud did not let them take away.
_OVER: set[str] = set()


@dataclass
class Held:
    """A community that is held.

    Attributes
    ----------
    document
        The id of the Document that says so.
    undoing
        New branches that an apply which died was to undo.
    stays
        Whether the Document is to stay when this apply is interrupted, so that the next one undoes them.
    """

    document: int
    undoing: frozenset[str]
    stays: bool = False


@contextmanager
def holding(
    desk: Desk, community: str, making: Iterable[str], undoing: Iterable[str] = (), *, take_over: bool = False
) -> Iterator[Held]:
    """Hold the community while something is applied.

    The Document with the lowest id holds; it is made with all that it says, so nobody ever sees half of it.

    Parameters
    ----------
    making
        The names of groups that are about to be made: a group carries no mark at first, and is known by this.
    undoing
        New branches that are undone if they cannot be finished; by the next apply, if this one dies.
    take_over
        Take it from an admin on another machine who is known to be gone.

    Raises
    ------
    Busy
        When another admin applies.
    """
    with _until_over() as token:
        held = Held(_announce(desk, community, making, undoing, token), frozenset())
        try:
            held.undoing = _settle(desk, community, held.document, undoing, take_over=take_over)
            desk.cloud.call("document.lock", held.document, LOCK_ALL, True)
            yield held
        except (Exception, KeyboardInterrupt):
            if not held.stays:
                with suppress(CloudError):
                    _withdraw(desk, held.document)
            raise
        _withdraw(desk, held.document)


def undo_only(desk: Desk, number: int, branches: Iterable[str]) -> None:
    """Forget what the dead were to undo: it is done, or those branches are whole, and stay."""
    desk.cloud.call("document.unlock", number)
    desk.cloud.call("document.update", number, render("undoing", undoing=" ".join(sorted(branches))), MERGE)
    desk.cloud.call("document.lock", number, LOCK_ALL, True)


def clear_away_the_dead(desk: Desk, community: str, *, take_over: bool = False) -> None:
    """Take away the Documents of applies on this machine that are certainly over; all of them, to take over."""
    for node in _documents(desk, community):
        if take_over or _is_over(node):
            _withdraw(desk, node.id)


def require_nobody_applies(desk: Desk, community: str) -> None:
    """Look before something is begun that an apply ends; raises `Busy` when another admin applies."""
    for node in _documents(desk, community):
        if not _is_over(node):
            raise _busy(node)


def still_holding(desk: Desk, community: str, number: int) -> None:
    """Look again before something is destroyed; raises `Busy` when another admin has taken over."""
    nodes = _documents(desk, community)
    if not nodes or nodes[0].id != number:
        raise Busy(f"another admin has taken over: {holder_of(nodes[0])}" if nodes else "another admin has taken over")


@contextmanager
def _until_over() -> Iterator[str]:
    """A token that only one apply has; it is known to be over, whatever ends it."""
    token = secrets.token_hex(8)
    try:
        yield token
    finally:
        _OVER.add(token)


def _is_over(node: Node) -> bool:
    """Whether it is certain that an apply is over: its process is, or it was this process's own and has ended."""
    return _token_of(node) in _OVER or holder_of(node).dead


def _token_of(node: Node) -> str:
    return first(node.attributes(), "GURNEY_TOKEN")


def _announce(desk: Desk, community: str, making: Iterable[str], undoing: Iterable[str], token: str) -> int:
    """Make the Document; when the answer is lost, it is found again by its token."""
    text = render(
        "applying",
        resource_name=object_name(community, APPLYING),
        mark=Mark(community, APPLYING, ""),
        **vars(this_process()),
        making=" ".join(making),
        undoing=" ".join(sorted(undoing)),
        token=token,
    )
    try:
        return int(desk.cloud.call("document.allocate", text, DOCUMENT_TYPE))
    except CloudUnreachable:
        mine = [node.id for node in _documents(desk, community) if _token_of(node) == token]
        if not mine:
            raise
        return mine[0]


def _settle(desk: Desk, community: str, number: int, undoing: Iterable[str], *, take_over: bool) -> frozenset[str]:
    """Clear away what is over and stands before us, or give way to the living; what was to be undone comes back."""
    before = [node for node in _documents(desk, community) if node.id < number]
    for node in before:
        if not (take_over or _is_over(node)):
            raise _busy(node)
    left = frozenset(name for node in before for name in undoing_in(node))
    if left:
        text = render("undoing", undoing=" ".join(sorted({*undoing, *left})))
        desk.cloud.call("document.update", number, text, MERGE)
    for node in before:
        _withdraw(desk, node.id)
    return left


def _busy(node: Node) -> Busy:
    words = f"another admin applies: {holder_of(node)}"
    return Busy(f"{words}. Wait, or if that is certainly over, use --take-over")


def _documents(desk: Desk, community: str) -> list[Node]:
    call, arguments, tag = POOLS["document"]
    uid = desk.cloud.read("user.info", -1).id
    return list(applying(elements(desk.cloud.read(call, *arguments), tag), community, uid))


def _withdraw(desk: Desk, number: int) -> None:
    desk.cloud.call("document.unlock", number)
    desk.cloud.call("document.delete", number)
