"""The wheels of an image: the locked ones, by digest, downloaded once and kept."""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.image.errors import ImageNotBuilt
from provision.image.tool import run

if TYPE_CHECKING:
    from pathlib import Path

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
#: Newest C library that a wheel may ask for: that of the release that is installed.
_NAME = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)-[^-]+-[^-]+-[^-]+\.whl")


@dataclass(frozen=True, order=True)
class Wheel:
    """One distribution of Python."""

    name: str
    version: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Wheels:
    """All distributions that the service needs, as files in a folder."""

    folder: Path
    lock: Path
    items: tuple[Wheel, ...]


def find_wheels(cache: Path, lock: Path) -> Wheels:
    """
    The wheels of a lock file; only those that are not in the cache are asked for over the network.

    Raises
    ------
    ImageNotBuilt
        There is no lock file, or a wheel can neither be found nor had.
    """
    if not lock.is_file():
        raise ImageNotBuilt(f"{lock}: no such file: run from a checkout of Gurney, or give --lock FILE")
    folder = cache / "wheels" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if not (folder / "complete").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        wanted = ["--require-hashes", "--only-binary=:all:", "--requirement", str(lock)]
        run([*PIP, "download", "--quiet", "--dest", str(folder), *wanted])
        (folder / "complete").touch()
    return Wheels(folder, lock, tuple(sorted(_wheel(path) for path in folder.glob("*.whl"))))


def lay_out(wheels: Wheels, target: Path) -> None:
    """Unpack all wheels side by side, without the network and without bytecode."""
    options = ["--no-index", "--no-deps", "--no-compile", "--require-hashes", "--quiet"]
    places = ["--find-links", str(wheels.folder), "--target", str(target), "--requirement", str(wheels.lock)]
    run([*PIP, "--isolated", "install", *options, *places])


def _wheel(path: Path) -> Wheel:
    found = _NAME.fullmatch(path.name)
    if found is None:
        raise ImageNotBuilt(f"{path}: not the name of a wheel: remove it")
    name = found["name"].replace("_", "-").lower()
    return Wheel(name, found["version"], path.name, hashlib.sha256(path.read_bytes()).hexdigest())
