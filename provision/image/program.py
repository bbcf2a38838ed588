"""The program as it lies in the image: an environment of its own beside Debian's Python."""

from __future__ import annotations

import shutil
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from provision.image.layout import places_of
from provision.image.wheels import lay_out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.image.release import Release
    from provision.image.wheels import Wheels

#: What runs in a VM: nothing that reaches a cloud.
PARTS = ("appliance", "cli", "converter", "exchange")
NOT_CODE = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
METADATA = ("METADATA", "entry_points.txt", "top_level.txt")


def own_version() -> str:
    """The version of this program."""
    return distribution("gurney").version


def own_metadata() -> dict[str, str]:
    """What is known about the installed program, by the name of the file."""
    own = distribution("gurney")
    texts = {name: own.read_text(name) for name in METADATA}
    texts["METADATA"] = texts["METADATA"] or own.read_text("PKG-INFO")  # where it is run from a checkout
    return {name: text for name, text in texts.items() if text is not None}


def own_files() -> Iterable[Path]:
    """Every file of the program that goes into an image, in the order of the paths."""
    for part in PARTS:
        folder = folder_of(part)
        yield from sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def folder_of(part: str) -> Path:
    """Where a package of the program lies on this machine."""
    spec = find_spec(part)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def lay_out_program(root: Path, wheels: Wheels, release: Release) -> None:
    """Make the environment below `root`, as it lies in the VM, but for the bytecode."""
    home = root / places_of(own_version()).release.lstrip("/")
    site = home / "lib" / f"python{release.python}" / "site-packages"
    site.mkdir(parents=True)
    lay_out(wheels, site)
    shutil.rmtree(site / "bin", ignore_errors=True)
    for part in PARTS:
        shutil.copytree(folder_of(part), site / part, ignore=NOT_CODE)
    _write_metadata(site / f"gurney-{own_version()}.dist-info")
    (home / "bin").mkdir()
    (home / "bin" / "python").symlink_to(f"/usr/bin/python{release.python}")
    (home / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {release.python}\n"
    )
    (home.parent / "current").symlink_to(home.name)


def _write_metadata(folder: Path) -> None:
    folder.mkdir()
    for name, text in own_metadata().items():
        (folder / name).write_text(text)
