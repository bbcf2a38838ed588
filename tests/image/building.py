"""The image of what the checkout holds now: built when something of it has changed, else taken from the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from provision.image.builder import Order, build, find_ingredients, own_lock
from provision.image.program import NOT_CODE, PARTS, folder_of, own_metadata, own_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEPT = 2
BUILD = """
import sys
from pathlib import Path
from provision.image.builder import Order, build, own_lock
build(Order(Path(sys.argv[1]), own_lock()))
"""


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


def built_newer(target: Path, version: str, files: Mapping[str, str], work: Path) -> None:
    """Build the image of a checkout that has a later version, and these files besides."""
    for part in (*PARTS, "provision", "templates"):
        shutil.copytree(folder_of(part), work / part, ignore=NOT_CODE)
    shutil.copy(own_lock(), work)
    named = {
        name: text.replace(f"\nVersion: {own_version()}\n", f"\nVersion: {version}\n")
        for name, text in own_metadata().items()
    }
    told = {f"gurney-{version}.dist-info/{name}": text for name, text in named.items()}
    for name, text in {**told, **files}.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    subprocess.run([sys.executable, "-c", BUILD, str(target)], cwd=work, check=True)


def link(source: Path, target: Path) -> None:
    """A second name, which stays when the first is removed; a copy where that cannot be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
