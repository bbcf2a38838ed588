"""Looks at what passes through the exchange, as anyone who can read it may."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

from exchange.errors import CannotOpen
from exchange.keys import load_keys
from exchange.sealing import unseal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOK_EVERY_S = 0.02


@contextlib.contextmanager
def kept_parcels(exchange: Path, kept: Path) -> Iterator[None]:
    """While the block runs, keep a second name of every sealed file that passes (its owner deletes it later)."""
    kept.mkdir(parents=True, exist_ok=True)
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(exchange, kept, ended), daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


def _watch(exchange: Path, kept: Path, ended: threading.Event) -> None:
    while not ended.wait(LOOK_EVERY_S):
        for parcel in exchange.glob("out/*/*/*/*.age"):
            name = kept / "_".join(parcel.relative_to(exchange / "out").parts)
            with contextlib.suppress(FileExistsError, FileNotFoundError):
                os.link(parcel, name)


def opened_by(keys: Path, sealed: Path) -> bool:
    """True when the keys in a branch's folder open a sealed file (they must not, unless it is the recipient's)."""
    own = load_keys(keys)
    try:
        unseal(sealed.read_bytes(), own.seal)
    except CannotOpen:
        return False
    return True
