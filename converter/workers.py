"""Processes that convert, and that may die of a file without taking the others with them."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import threading
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from converter.limits import LIMITS, MIB

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess as ParentProcess
    from types import TracebackType

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the processes end when all is done; at once where the run is given up, for no picture is half there."""
        if kind is not None and not issubclass(kind, Exception):
            for process in tuple((self._pool._processes or {}).values()):  # noqa: SLF001 - terminate_workers() of 3.14
                process.terminate()
        self.shutdown(cancel_futures=kind is not None)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the processes end."""
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def _new_pool(self) -> ProcessPoolExecutor:
        """Forked processes: the modules that are loaded need not be loaded again, which costs 0.3 s each."""
        return ProcessPoolExecutor(self.count, multiprocessing.get_context("fork"), initializer=guard)


def guard(memory_mib: int | None = None) -> None:
    """Bound this process, and let it not outlive the one that it works for.

    It may add so much memory, by default `LIMITS.worker_memory_mib`: what it writes to, and not what it maps of a file,
    for a file may be larger than the bound. It leaves no core file. Ctrl-C and a closed terminal are the parent's.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    allowed = _data_bytes() + (memory_mib or LIMITS.worker_memory_mib) * MIB
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or allowed < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_follow, args=(parent,), name="follow", daemon=True).start()


def _data_bytes() -> int:
    """What `RLIMIT_DATA` counts (getrlimit(2)), and the stack: the sixth number of proc_pid_statm(5)."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no path of a user's
        return int(statm.read().split()[5]) * resource.getpagesize()


def _follow(parent: ParentProcess) -> None:
    """End when the parent does: a pipe whose other end it holds is closed, however it was killed.

    Of forked processes each holds the ends of those before it, so that the last one ends first and the others after.
    """
    parent.join()
    os._exit(0)
