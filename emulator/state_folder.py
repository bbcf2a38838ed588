"""The folder that holds a cloud: one cloud at a time runs on it, and it remembers where the cloud was on loopback."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from emulator.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def held(state: Path) -> Iterator[None]:
    """Hold the folder; the kernel lets go of it when this process ends, however it ends.

    Raises
    ------
    EmulatorError
        When another embedded cloud holds it.
    """
    descriptor = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EmulatorError(
                f"another embedded cloud runs on {state}; stop it first, or name another folder"
            ) from error
        yield
    finally:
        os.close(descriptor)


def remembered_network(state: Path) -> str | None:
    """The network that the cloud had when it last ran."""
    try:
        return (state / "network").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None


def remember_network(state: Path, network: str) -> None:
    """Note the network for the next start."""
    (state / "network").write_text(f"{network}\n", encoding="ascii")
