"""Where words go: results to standard output, progress to standard error, JSON for programs."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any
from unicodedata import category

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


#: Columns of what goes into a file or another program, where nothing is wrapped.
UNFOLDED = 4000


def results() -> Console:
    """The console of results: standard output."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    return console if console.is_terminal else Console(soft_wrap=True, highlight=False, width=UNFOLDED)


def progress_console() -> Console:
    """The console of progress and remarks: standard error."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    return console if console.is_terminal else Console(stderr=True, highlight=False, width=UNFOLDED)


def progress_bar(*, quiet: bool = False) -> Progress:
    """A progress bar with count, rate of time spent and time left, on standard error (none when quiet)."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = progress_console()
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
    )


#: That a command has printed its one document.
DOCUMENTED = threading.Event()


def print_json(value: Any) -> None:
    """Print the one JSON document of a command, for programs; times and paths become text."""
    DOCUMENTED.set()
    click.echo(_as_json(value, indent=2))


def print_json_line(value: Any) -> None:
    """Print a document of many, or an error, in one line."""
    click.echo(_as_json(value))


def _as_json(value: Any, indent: int | None = None) -> bytes:
    """JSON in UTF-8, whatever the terminal speaks; bytes of a name that are none stay, as escapes of surrogates."""
    return json.dumps(value, default=str, ensure_ascii=False, indent=indent).encode("utf-8", "backslashreplace")


def printable(text: str) -> str:
    """A text from outside with its control characters spelled out: they would steer the terminal."""
    return "".join(each if each in "\n\t" or category(each) != "Cc" else f"\\x{ord(each):02x}" for each in text)
