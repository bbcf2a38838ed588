"""Many files: found, converted one after another or side by side, each failure told, the rest made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.conversion import convert_file
from converter.memory import keep_freed_memory
from converter.options import Options
from converter.results import Failure
from converter.sources import source_files

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Executor

    from converter.results import Result
    from converter.sources import Found
    from converter.target import Target


def convert(
    sources: Iterable[str | os.PathLike[str]],
    target: Target,
    options: Options | None = None,
    executor: Executor | None = None,
    workers: int = 1,
) -> Iterator[Result]:
    """Convert everything that the sources hold.

    Parameters
    ----------
    sources : iterable of path
        See `converter.sources.source_files`.
    target : Target
        Where pictures go. A picture that is there already is not made again, so a run that was stopped goes on.
    executor : concurrent.futures.Executor, optional
        Where the work is done: `converter.workers.Workers`, a process pool, or a Dask cluster's executor. Without one
        it is done here, and a decoder that crashes takes this process with it.
    workers : int
        How many batches the executor works on at a time.

    Yields
    ------
    Picture, Document, Failure or Skipped
        As they come; files in no certain order where there is an executor.

    Raises
    ------
    OSError
        Where pictures cannot be written: the disk is full, the folder is read-only.
    """
    yield from convert_files(source_files(sources), target, options, executor, workers)


def convert_files(
    files: Iterable[Found],
    target: Target,
    options: Options | None = None,
    executor: Executor | None = None,
    workers: int = 1,
) -> Iterator[Result]:
    """The same for files that are found already."""
    options = options or Options()
    keep_freed_memory()
    if executor is None:
        for file in files:
            yield from [file] if isinstance(file, Failure) else convert_file(file, target, options)
        return
    from converter.dispatch import side_by_side

    yield from side_by_side(files, target, options, executor, workers)
