"""The image that the tests of this folder boot, built once for all that it is made of."""

from __future__ import annotations

import fcntl
import shutil
from typing import TYPE_CHECKING

import pytest

from provision.image.builder import Order, build, find_ingredients, own_lock
from provision.image.cache import own_cache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEPT = 2


@pytest.fixture(scope="session")
def appliance_image() -> Iterator[Path]:
    """An image of what the checkout holds now, from the cache where nothing of it has changed."""
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("needs the packages of tests/image/system-packages.txt")
    folder = own_cache() / "built"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield built(folder)


def built(folder: Path) -> Path:
    """The image of the present ingredients; the newest few are kept."""
    order = Order(folder / "new.qcow2", own_lock())
    target = folder / f"{find_ingredients(order).key[:24]}.qcow2"
    if not target.exists():
        build(Order(target, own_lock()))
    images = sorted(folder.glob("*.qcow2"), key=lambda path: path.stat().st_mtime)
    for path in images[:-KEPT]:
        path.unlink()
    return target
