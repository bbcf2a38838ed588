"""An output that nobody reads any more, as after `| head`: it ends a command in silence, as it does other tools."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


#: Standard output and standard error.
DESCRIPTORS = (1, 2)


class OutputClosed(BaseException):
    """Who read standard output, or standard error, has closed it; like SystemExit, no error of a command."""

    #: What a shell says of a tool that SIGPIPE has ended.
    exit_code = 128 + signal.SIGPIPE


@contextlib.contextmanager
def telling_closed_pipes() -> Iterator[None]:
    """Tell a closed output from a connection that broke off.

    click takes every broken pipe for a closed output and ends with 1; rich does so for its own, and says no more of it.
    """
    try:
        yield
    except BrokenPipeError as error:
        if not any(is_closed(each) for each in DESCRIPTORS):
            raise ConnectionAbortedError(errno.ECONNABORTED, "a connection broke off") from error
        raise OutputClosed from error
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):
            raise OutputClosed from error
        raise


def is_closed(descriptor: int) -> bool:
    """Whether the other end of a pipe is closed."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def stand_in_for_missing() -> None:
    """Let what is closed from the start, as by `>&-`, be nowhere; else the next file that is opened took its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def give_up_unwritten() -> None:
    """Let what cannot be written go nowhere, so that the interpreter does not try and complain at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
