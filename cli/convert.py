"""`gurney convert`: DICOM to pictures."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json_line, printable
from cli.conversion_progress import watched
from cli.ending import ended_by_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    from converter.results import Failure, Result

FAILED = 5


def _parsed(parse: str) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """A callback that reads an option's text by `module:function`; what it refuses is wrong usage."""

    def callback(context: click.Context, parameter: click.Parameter, text: str | None) -> Any:
        from importlib import import_module

        from converter.errors import ConversionError

        if text is None:
            return None
        module, _, function = parse.partition(":")
        try:
            return getattr(import_module(module), function)(text)
        except ConversionError as error:
            raise click.BadParameter(error.reason, context, parameter) from error

    return callback


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the pictures; it is made where it is missing.",
)
@click.option(
    "--layout",
    default="folders",
    show_default=True,
    metavar="folders|flat|TEMPLATE",
    help="Patient/study/series/instance, all in one folder, or such as '{patient_id}/{modality} {instance_number}'.",
)
@click.option(
    "--window",
    default="file",
    show_default=True,
    callback=_parsed("converter.gray.request:window_request"),
    metavar="WINDOW",
    help="file (the object's own), auto, none (stored values in 16 bits), 2 (its second), lung (an explanation in the "
    "object or a preset of its modality), or CENTRE,WIDTH[,FUNCTION].",
)
@click.option(
    "--frames",
    metavar="1-10,20",
    callback=_parsed("converter.options:frame_ranges"),
    help="Only these frames of multi-frame objects.",
)
@click.option("--bits", type=click.Choice(["8", "16"]), default="8", show_default=True, help="Bits of gray or colour.")
@click.option("--cine", type=click.Choice(["apng", "webp"]), default=None, help="One moving picture an object.")
@click.option("--sheet", is_flag=True, help="One contact sheet an object.")
@click.option(
    "--presentation",
    type=click.Path(exists=True, dir_okay=False),
    help="A presentation state (GSPS), applied to the images that it refers to.",
)
@click.option("--overlays", is_flag=True, help="Draw overlay planes.")
@click.option("--square", is_flag=True, help="Stretch pixels that are not square; they are declared otherwise.")
@click.option("--small", is_flag=True, help="Smaller files, in about four times the time.")
@click.option("--identified", is_flag=True, help="Write the patient's name and ID into the pictures.")
@click.option("--replace", is_flag=True, help="Make pictures again that are there.")
@click.option("--workers", type=click.IntRange(0), help="Processes; 0 for none. By default one a processor.")
@click.option("--scheduler", metavar="tcp://HOST:PORT", help="Have the workers of a Dask cluster do it.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print a line of JSON for each picture, failure and skipped file."
)
def convert(
    sources: tuple[str, ...], folder: Path, layout: str, workers: int | None, scheduler: str | None, as_json: bool,
    **asked: Any,
) -> None:  # fmt: skip
    """Turn DICOM into PNG, and reports into HTML or PDF.

    SOURCE is a file, a folder, a DICOMDIR, a ZIP archive, a pattern, or - for standard input. Pictures that are there
    already are not made again, so a run that was stopped goes on. Ends with 5 where a file or frame could not be
    converted; the others are.
    """
    from converter.batch import convert_files
    from converter.results import Failure
    from converter.sources import source_files

    gc.freeze()  # what is imported is no garbage; looking through it again and again costs a tenth of a batch
    options, target = _options(**asked), _target(folder, layout)
    files = list(source_files(sources))
    kinds: Counter[str] = Counter()
    whys: Counter[str] = Counter()
    with ended_by_signals(), _executor(len(files), workers, scheduler) as (executor, count):
        for result in watched(convert_files(files, target, options, executor, count), len(files), quiet=as_json):
            kinds[type(result).__name__] += 1
            whys[getattr(result, "why", "")] += 1
            if as_json:
                print_json_line(line(result))
            elif isinstance(result, Failure):
                click.echo(in_words(result), err=True)
    if not as_json:
        click.echo(counted(kinds, whys))
    sys.exit(FAILED if kinds["Failure"] else 0)


_COUNTED = {
    "Picture": ("picture written", "pictures written"),
    "Document": ("document written", "documents written"),
    "Skipped": ("skipped", "skipped"),
    "Failure": ("failed", "failed"),
}


def counted(kinds: Counter[str], whys: Counter[str]) -> str:
    """How many of each kind of result there were, and why some were skipped."""
    reasons = ", ".join(f"{number} {why}" for why, number in sorted(whys.items()) if why)
    parts = [f"{kinds[kind]} {words[kinds[kind] > 1]}" for kind, words in _COUNTED.items() if kinds[kind]]
    return ", ".join(f"{part} ({reasons})" if part.endswith("skipped") else part for part in parts) or "nothing"


def _options(*, window: Any, frames: Any, bits: str, cine: str | None, presentation: str | None, **flags: bool) -> Any:
    """The options of a conversion; what does not go together is wrong usage."""
    from converter.errors import ConversionError
    from converter.options import FrameRanges, Options
    from converter.presentation.state import presentation_state

    if cine and flags["sheet"]:
        raise click.UsageError("--cine and --sheet exclude one another")
    try:
        if presentation:
            presentation_state(presentation)
        return Options(
            window=window,
            frames=frames or FrameRanges(),
            bits=int(bits),
            cine=cine or "",
            presentation=presentation or "",
            **flags,
        )
    except ConversionError as error:
        raise click.UsageError(str(error)) from error


def _target(folder: Path, layout: str) -> Any:
    """Where pictures go; a template that cannot be filled in is wrong usage."""
    from converter.errors import ConversionError
    from converter.target import Target

    try:
        return Target(folder, layout)
    except ConversionError as error:
        raise click.UsageError(error.reason) from error


@contextmanager
def _executor(files: int, workers: int | None, scheduler: str | None) -> Iterator[tuple[Executor | None, int]]:
    """What converts, and how many batches it works on at a time; a single file is converted in this process."""
    if scheduler:
        with _cluster(scheduler) as (executor, count):
            yield executor, count
    elif workers == 0 or (workers is None and files < 2):
        yield None, 1
    else:
        from converter.workers import Workers

        with Workers(workers) as pool:
            yield pool, pool.count


@contextmanager
def _cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """The workers of a Dask cluster, which must see the files and the target under the same paths."""
    try:
        from distributed import Client
    except ImportError as error:
        raise click.UsageError("--scheduler needs Dask: pip install 'gurney[dask]'") from error
    try:
        client = Client(address, timeout=10)  # type: ignore[no-untyped-call]  # distributed has no types
    except OSError as error:
        raise click.UsageError(f"the Dask scheduler at {address} does not answer ({error})") from error
    with client:
        # Not pure: a conversion writes files, so it must be done again where it is asked for again.
        yield client.get_executor(pure=False), max(1, sum(client.ncores().values()))  # type: ignore[no-untyped-call]  # as above


def in_words(failure: Failure) -> str:
    """A failure as people read it: file, frame, element, reason."""
    frame = f"frame {failure.frame}" if failure.frame else None
    return printable(": ".join(part for part in (failure.source, frame, failure.tag, failure.reason) if part))


def line(result: Result) -> dict[str, Any]:
    """A result as a line of JSON: its kind and all that it knows."""
    content = asdict(result)
    return {"result": type(result).__name__.lower()} | {
        key: str(value) if isinstance(value, Path) else value for key, value in content.items()
    }
