"""Batches of files handed to an executor, and what is done when it loses one."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Sized
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING

from converter.clock import Clock, StoodStill, TooSlow
from converter.conversion import convert_file
from converter.errors import ConversionError
from converter.limits import LIMITS, MIB
from converter.results import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from converter.options import Options
    from converter.results import Result
    from converter.sources import Found, SourceFile
    from converter.target import Target

    Batch = tuple[SourceFile, ...]

# A batch is large enough that handing it over costs nothing (0.3 ms) and small enough to be tried again singly.
_BATCH_FILES = 32
_BATCH_FILES_OF_MANY = 8  # where it is not known how many files will come
_BATCHES_A_WORKER = 4
_BATCH_BYTES = 16 * MIB
_SHARED_BYTES = 8 * MIB


def side_by_side(
    files: Iterable[Found], target: Target, options: Options, executor: Executor, workers: int
) -> Iterator[Result]:
    """Convert files by an executor, a few batches at a time, so that neither memory nor a crash costs many.

    Where a worker dies the batches of the whole pool are lost. Their files are converted again one at a time, so that
    the one that killed it is known and named, and the others are made: also those that the worker had written before
    it died, of which nobody has been told.
    """
    untold = replace(options, untold_since_ns=time.time_ns())
    waiting: dict[Future[list[Result]], Batch] = {}
    suspects: deque[SourceFile] = deque()
    failures: list[Failure] = []
    queue = _batches(files, failures, _shares(options, workers), _batch_sizes(files, workers))
    while True:
        while len(waiting) < 2 * workers and not suspects and (batch := next(queue, None)):
            waiting[executor.submit(convert_batch, batch, target, options)] = batch
        yield from failures
        failures.clear()
        if not waiting:
            return
        for future in wait(waiting, return_when=FIRST_COMPLETED).done:
            yield from _results(future, waiting.pop(future), suspects)
        if suspects and not waiting:
            yield from _singly(suspects, target, untold, executor)


def convert_batch(batch: Batch, target: Target, options: Options) -> list[Result]:
    """Convert a batch in a worker, no file longer than `LIMITS.file_seconds` between two results."""
    if multiprocessing.parent_process() is None or threading.current_thread() is not threading.main_thread():
        return [result for file in batch for result in convert_file(file, target, options)]
    return [result for file in batch for result in _in_time(file, target, options)]


def _in_time(file: SourceFile, target: Target, options: Options) -> Iterator[Result]:
    try:
        with Clock(LIMITS.file_seconds) as clock:
            for result in convert_file(file, target, options):
                yield result
                clock.restart()
    except (TooSlow, StoodStill) as limit:
        yield Failure(file.name, f"it took longer than {limit} for a picture")


def _results(future: Future[list[Result]], batch: Batch, suspects: deque[SourceFile]) -> list[Result]:
    """A batch's results; where it was lost, its files are suspects.

    Raises
    ------
    ConversionError
        Where the executor itself is gone, as a Dask cluster is whose scheduler has died: then no file is to blame.
    """
    try:
        return future.result()
    except OSError:
        raise
    except CancelledError as error:
        raise ConversionError(f"what converts was lost before {batch[0].name}; run it again, and it goes on") from error
    except Exception:  # noqa: BLE001 - BrokenProcessPool, Dask's KilledWorker: every executor has its own
        suspects.extend(batch)
        return []


def _singly(suspects: deque[SourceFile], target: Target, options: Options, executor: Executor) -> Iterator[Result]:
    """Convert suspects one at a time."""
    while suspects:
        file = suspects.popleft()
        again: deque[SourceFile] = deque()
        yield from _results(executor.submit(convert_batch, (file,), target, options), (file,), again)
        if again:
            yield Failure(file.name, "it killed the process that decoded it, by a crash, too much memory or time")


def _shares(options: Options, workers: int) -> int:
    """Into how many shares a large object's frames are split; an animation or sheet is made in one."""
    return 1 if options.cine or options.sheet else workers


def _batch_sizes(files: Iterable[Found], workers: int) -> Iterator[int]:
    """Files to a batch: a share of what is left, so that the last batches hold one and all workers end together."""
    left = len(files) if isinstance(files, Sized) else 0
    while left > 0:
        size = max(1, min(_BATCH_FILES, left // (_BATCHES_A_WORKER * workers)))
        yield size
        left -= size
    yield from repeat(1 if isinstance(files, Sized) else _BATCH_FILES_OF_MANY)


def _batches(files: Iterable[Found], failures: list[Failure], shares: int, sizes: Iterator[int]) -> Iterator[Batch]:
    """Files in batches of a bounded number and size; a large file alone, its frames shared among the workers."""
    batch: list[SourceFile] = []
    most = next(sizes)
    for file in files:
        if isinstance(file, Failure):
            failures.append(file)
        elif file.size > _SHARED_BYTES and shares > 1:
            yield from ((replace(file, part=part, parts=shares),) for part in range(shares))
        else:
            batch.append(file)
        if len(batch) == most or sum(waiting.size for waiting in batch) > _BATCH_BYTES:
            yield tuple(batch)
            batch, most = [], next(sizes)
    if batch:
        yield tuple(batch)
