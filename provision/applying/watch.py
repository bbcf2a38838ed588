"""Waiting for what OpenNebula does later: many wait, and one reads the pool for all of them."""

from __future__ import annotations

import time
from threading import Event, Lock
from typing import TYPE_CHECKING

from provision.errors import CloudError, Interrupted
from provision.pools import POOLS, elements

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.node import Node
    from provision.opennebula import Cloud

#: How often a pool is read while something is waited for, in seconds: soon at first, then patiently.
FIRST_S, LAST_S = 0.1, 2.0


class Watch:
    """Pools that are read while steps wait."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._lock = Lock()
        self._read: dict[str, tuple[float, dict[int, Node]]] = {}
        self._stopped = Event()

    def stop(self) -> None:
        """Let all give up: the apply was interrupted."""
        self._stopped.set()

    def go_on(self) -> None:
        """Raise `Interrupted` once the apply is stopped: nothing is begun any more."""
        if self._stopped.is_set():
            raise Interrupted("interrupted")

    def until(
        self, pool: str, numbers: set[int], done: Callable[[Node | None], bool], *, what: str, limit_s: float
    ) -> None:
        """Wait until every object of a pool is as wanted (None: it is gone).

        Raises
        ------
        CloudError
            When the time is over; `done` raises it itself for what will never come.
        Interrupted
            When the apply is stopped.
        """
        asked = newest = time.monotonic()
        pause_s = FIRST_S
        while True:
            nodes = self._newer(pool, newest)
            left = [number for number in sorted(numbers) if not done(nodes.get(number))]
            if not left:
                return
            if time.monotonic() - asked > limit_s:
                raise CloudError(f"one.{POOLS[pool][0]}", f"{what}: not after {limit_s:g} s ({pool} {left})")
            if self._stopped.wait(pause_s):
                raise Interrupted(f"{what}: interrupted")
            pause_s = min(pause_s * 1.5, LAST_S)
            newest = time.monotonic() - FIRST_S

    def _newer(self, pool: str, than: float) -> dict[int, Node]:
        """The pool as it was read after a moment."""
        with self._lock:
            read, nodes = self._read.get(pool, (float("-inf"), {}))
            if read < than:
                call, arguments, tag = POOLS[pool]
                read = time.monotonic()
                nodes = {node.id: node for node in elements(self._cloud.read(call, *arguments), tag)}
                self._read[pool] = (read, nodes)
            return nodes
