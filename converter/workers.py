"""Processes that convert, and that may die of a file without taking the others with them."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from converter.limits import LIMITS, MIB

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


class Workers(Executor):
    """A process pool that is made anew when one of its processes has died.

    Parameters
    ----------
    count : int
        How many processes; by default as many as this process may use processors.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = count or len(os.sched_getaffinity(0))
        self._pool = self._new_pool()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a process call the function; the future ends in `BrokenProcessPool` where the process dies."""
        try:
            return self._pool.submit(fn, *args, **kwargs)
        except BrokenProcessPool:
            self._pool.shutdown(wait=True)
            self._pool = self._new_pool()
            return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the processes end."""
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def _new_pool(self) -> ProcessPoolExecutor:
        """Forked processes: the modules that are loaded need not be loaded again, which costs 0.3 s each."""
        return ProcessPoolExecutor(self.count, multiprocessing.get_context("fork"), initializer=guard)


def guard() -> None:
    """Bound this process: address space, and no core file; Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    used = _address_space_bytes()
    allowed = used + LIMITS.worker_memory_mib * MIB
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or allowed < hard:
        resource.setrlimit(resource.RLIMIT_AS, (allowed, hard))


def _address_space_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no path of a user's
        return int(statm.read().split()[0]) * resource.getpagesize()
