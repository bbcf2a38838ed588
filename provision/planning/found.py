"""What stands in the cloud and in the exchange, read at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from provision.enrolling.certificates import words_about
from provision.enrolling.published import published
from provision.kinds.keys import opened
from provision.kinds.table import found_resources
from provision.node import first
from provision.planning.marks import mark_in
from provision.planning.view import MARKED, View
from provision.pools import Pools, read_pools

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exchange.community import CommunityKeys
    from provision.desk import Desk
    from provision.node import Node
    from provision.planning.resource import Existing, Ref

NO_ONEGATE = "This cloud has no OneGate: appliances cannot report their keys; `gurney branch enrol` asks them over SSH."

#: The mark of the Document that stands while an admin applies.
APPLYING = "applying"


@dataclass(frozen=True)
class Found:
    """The cloud as one community's admin found it."""

    view: View
    keys: CommunityKeys | None = field(default=None, repr=False)
    undoing: frozenset[str] = frozenset()
    """New branches that applies which have not ended, or died, undo if they cannot be finished."""

    @property
    def community(self) -> str:
        """Whose things were looked for."""
        return self.view.community

    @property
    def pools(self) -> Pools:
        """All that was read."""
        return self.view.pools

    @cached_property
    def resources(self) -> dict[Ref, Existing]:
        """The community's own things, by what they are for."""
        return {each.ref: each for each in found_resources(self.view)}

    @cached_property
    def conditions(self) -> tuple[str, ...]:
        """What is worth knowing and is no drift."""
        silent = () if self.pools.has_onegate else (NO_ONEGATE,)
        return (*silent, *self.view.published.warnings, *words_about(self.view, datetime.now(UTC)))

    @cached_property
    def foreign(self) -> tuple[str, ...]:
        """Things that bear this community's mark and are not believed to be its own."""
        return tuple(_unbelieved(self.view))


def found(desk: Desk, community: str) -> Found:
    """Read the cloud (one call a pool) and the exchange's outboxes (one listing).

    Raises
    ------
    CloudError
        When the front end refuses or does not answer.
    NoIdentity
        When the community's keys are not locked to this admin.
    exchange.errors.ExchangeError
        When the exchange cannot be read.
    """
    pools = read_pools(desk.cloud)
    outboxes = frozenset(entry.name for entry in desk.store.list("out") if entry.kind == "folder")
    holders = list(applying(pools.nodes["document"], community, pools.user.id))
    making = frozenset(name for node in holders for name in making_in(node))
    undoing = frozenset(name for node in holders for name in undoing_in(node))
    view = View(pools, community, making, outboxes)
    document = dict(view.ours("keys")).get("")
    if document is None:
        return Found(view, undoing=undoing)
    keys = opened(document, desk.identity)
    return Found(replace(view, published=published(desk.store, community, keys)), keys, undoing)


def applying(documents: Iterable[Node], community: str, uid: int) -> Iterator[Node]:
    """The Documents of admins who apply, or who died while they did; the oldest first."""
    for node in documents:
        mark = mark_in(node.attributes())
        ours = mark is not None and (mark.community, mark.kind) == (community, APPLYING)
        if ours and node.number("UID") == uid:
            yield node


def making_in(node: Node) -> list[str]:
    """The names of the groups that an admin is making."""
    return str(node.attributes().get("GURNEY_MAKING", "")).split()


def undoing_in(node: Node) -> list[str]:
    """The new branches that are to be undone if they cannot be finished."""
    return first(node.attributes(), "GURNEY_UNDOING").split()


def _unbelieved(view: View) -> Iterator[str]:
    ours = {(MARKED[kind], node.id) for kind in MARKED for _, node in view.ours(kind)}
    for kind, pool in MARKED.items():
        for node in view.pools.nodes[pool]:
            mark = mark_in(node.attributes())
            claims = mark is not None and (mark.community, mark.kind) == (view.community, kind)
            if claims and (pool, node.id) not in ours:
                yield f"{kind} {node.name} (id {node.id}, owner {node.text('UNAME')}) bears our mark, but is not ours"
