"""Building an image: look up, lay out, install, make a disk of it; all or nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.image.bill import bill_of_materials
from provision.image.cache import own_cache
from provision.image.disk import compress, make_disk
from provision.image.layout import values_for
from provision.image.left_out import KEPT, LEFT_OUT
from provision.image.loader import LOADERS, Loaders, make_bootable
from provision.image.mirror import own_sources, sources_at
from provision.image.packages import find_packages
from provision.image.program import folder_of, lay_out_program, own_files, own_metadata, own_version
from provision.image.progress import teller
from provision.image.release import own_release
from provision.image.tool import PACKAGES, require, require_root
from provision.image.tree import make_tree
from provision.image.wheels import find_wheels
from provision.image.workplace import work_folder
from templates.files import SCRIPTS, guest_files, script

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from provision.image.mirror import Source
    from provision.image.packages import Packages
    from provision.image.progress import Step
    from provision.image.release import Release
    from provision.image.wheels import Wheels

#: Beside the image `name.qcow2` lies its bill of materials, `name.cdx.json`.
BILL = ".cdx.json"


@dataclass(frozen=True)
class Order:
    """What is to be built, and from where.

    Attributes
    ----------
    target
        The image; its bill of materials is written beside it.
    lock
        The locked requirements of the program.
    mirror
        Of Debian's packages; empty for the one of this machine's apt.
    refresh
        Look for newer packages than those that were used before.
    """

    target: Path
    lock: Path
    mirror: str = ""
    refresh: bool = False
    cache: Path | None = None


@dataclass(frozen=True)
class Built:
    """An image that was built."""

    image: Path
    bill: Path
    size: int
    digest: str
    files: int


@dataclass(frozen=True)
class Ingredients:
    """All that an image is made of, found in the cache."""

    release: Release
    sources: tuple[Source, ...]
    packages: Packages
    wheels: Wheels

    @property
    def key(self) -> str:
        """Changes when anything changes from which the image is made."""
        values = values_for(own_version(), self.sources)
        texts = {str(path): text for path, text in guest_files(**values)}
        home = folder_of("provision").parent
        parts = [
            [package.sha256 for package in self.packages.items],
            [package.sha256 for package in self.packages.loader],
            [wheel.sha256 for wheel in self.wheels.items],
            texts,
            [script(name, **values) for name in sorted(SCRIPTS)],
            [LEFT_OUT, KEPT, own_metadata()],
            {path.relative_to(home).as_posix(): _digest(path) for path in own_files()},
            {path.name: _digest(path) for path in sorted(folder_of("provision.image").glob("*.py"))},
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def own_lock() -> Path:
    """The lock file of the checkout that this program runs from."""
    return folder_of("provision").parent / "requirements.lock"


def find_ingredients(order: Order, tell: Callable[[int], None] = lambda _number: None) -> Ingredients:
    """
    Look everything up; over the network only what is not in the cache.

    Raises
    ------
    ImageNotBuilt
        Something is missing on this machine, or cannot be had.
    """
    require(sorted(PACKAGES))
    require_root()
    cache = order.cache or own_cache()
    tell(1)
    release = own_release()
    sources = sources_at(order.mirror, release.suite) if order.mirror else own_sources(release.suite)
    packages = find_packages(cache, sources, refresh=order.refresh)
    tell(2)
    return Ingredients(release, sources, packages, find_wheels(cache, order.lock))


def build(order: Order, on_progress: Callable[[Step], None] | None = None) -> Built:
    """
    Build an image. A build that fails, or is interrupted, leaves nothing but the cache.

    Raises
    ------
    ImageNotBuilt
        With what to do about it.
    """
    tell = teller(on_progress)
    ingredients = find_ingredients(order, tell)
    with work_folder() as work:
        return _build(order, ingredients, work, tell)


def _build(order: Order, ingredients: Ingredients, work: Path, tell: Callable[[int], None]) -> Built:
    tell(3)
    lay_out_program(work / "program", ingredients.wheels, ingredients.release)
    tell(4)
    tree = make_tree(work, ingredients.release, ingredients.packages, ingredients.sources)
    tell(5)
    disk = make_disk(work, tree, ingredients.packages.date)
    tell(6)
    loaders = Loaders(work / LOADERS)
    make_bootable(disk, loaders, tree.digest, ingredients.packages.date)
    tell(7)
    bill = work / "bill"
    bill.write_text(bill_of_materials(tree, loaders, ingredients.release, ingredients.packages, ingredients.wheels))
    compress(disk, work / "image.qcow2")
    target = order.target
    _deliver([(bill, target.with_name(target.stem + BILL)), (work / "image.qcow2", target)])
    return Built(target, target.with_name(target.stem + BILL), target.stat().st_size, tree.digest, tree.files)


def _deliver(files: Sequence[tuple[Path, Path]]) -> None:
    """Put finished files where they are wanted, each whole or not at all; the image last."""
    parts = [target.with_name(f".{target.name}.part") for _, target in files]
    try:
        for (source, target), part in zip(files, parts, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source, part)
        for (_, target), part in zip(files, parts, strict=True):
            part.replace(target)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
