"""The folder in which an image is made: gone afterwards, whatever happens and whoever its files were given to."""

from __future__ import annotations

import contextlib
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from provision.image.tool import as_root, run

if TYPE_CHECKING:
    from collections.abc import Iterator

HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """
    A new folder.

    Raises
    ------
    ImageNotBuilt
        It could not be removed; with its name.
    """
    folder = Path(tempfile.mkdtemp(prefix="gurney-image-"))
    try:
        folder.chmod(0o755)  # in a user namespace mmdebstrap is another user
        yield folder
    finally:
        with _held_signals():
            run([*as_root(), "rm", "-rf", "--", str(folder)])  # without root, files in it are of the namespace's users


@contextlib.contextmanager
def _held_signals() -> Iterator[None]:
    """Let an impatient second Ctrl-C wait until the block is through."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
