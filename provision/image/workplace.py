"""The folder in which an image is made: gone afterwards, whatever happens and whoever its files were given to."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from provision.image.tool import as_root, run, uninterrupted

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        with uninterrupted():
            _remove(folder)


def _remove(folder: Path) -> None:
    """Without root, files in it are of the namespace's users. What is mounted in it is not ours to remove."""
    run(["rm", "-rf", "--one-file-system", "--", str(folder)], within=as_root())
