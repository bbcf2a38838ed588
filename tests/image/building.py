"""The image of what the checkout holds now: built when something of it has changed, else taken from the cache."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from provision.image.builder import Order, build, find_ingredients, own_lock

if TYPE_CHECKING:
    from pathlib import Path

KEPT = 2


def built(folder: Path) -> Path:
    """The image of the present ingredients; the newest few are kept."""
    order = Order(folder / "new.qcow2", own_lock())
    target = folder / f"{find_ingredients(order).key[:24]}.qcow2"
    if not target.exists():
        build(Order(target, own_lock()))
    images = sorted(folder.glob("*.qcow2"), key=lambda path: path.stat().st_mtime)
    for path in images[:-KEPT]:
        path.unlink()
        path.with_suffix(".cdx.json").unlink(missing_ok=True)
    return target


def link(source: Path, target: Path) -> None:
    """A second name, which stays when the first is removed; a copy where that cannot be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
