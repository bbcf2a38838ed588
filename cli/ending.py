"""Signals that end a command: all of them as Ctrl-C does, so that what was begun is taken down."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sys import UnraisableHookArgs

#: SIGINT too: a shell that starts a program in the background has it ignored.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


#: That a signal has asked for the end, whatever became of the exception on its way.
HEARD = threading.Event()


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the block as Ctrl-C does; what `nohup` has ignored stays ignored."""

    def interrupt(*_: Any) -> None:
        HEARD.set()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heeded = [each for each in ENDING if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


#: Until a Ctrl-C that was swallowed comes again: by then the interpreter is out of what swallowed it.
AGAIN_S = 0.1


def never_swallowed() -> None:
    """Let a Ctrl-C come again that the interpreter ignores: one in a destructor, or while it takes an import's lock."""
    before = sys.unraisablehook

    def repeat(told: UnraisableHookArgs) -> None:
        if not issubclass(told.exc_type, KeyboardInterrupt):
            before(told)
            return
        # To the main thread itself, which else would sleep on.
        again = threading.Timer(AGAIN_S, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
        again.daemon = True
        again.start()

    sys.unraisablehook = repeat
