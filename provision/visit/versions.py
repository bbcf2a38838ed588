"""A version of the service as an admin has it: wheels, and what installs them where there is no network."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from dataclasses import dataclass
from email.parser import HeaderParser
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from provision.visit.errors import NotUpgraded

if TYPE_CHECKING:
    from collections.abc import Mapping

#: pip as a zip file, from which it can be run: an appliance has none.
INSTALLER, MANIFEST = "pip.zip", "manifest.json"
_STEP = re.compile(r"appliance/index/migrations/versions/(\d{4})_\w+\.py")
_OWN = re.compile(r"gurney-[^/]+\.dist-info/METADATA")


@dataclass(frozen=True)
class NewVersion:
    """What is sent to an appliance.

    Attributes
    ----------
    schema
        The newest revision of the index that the program knows.
    files
        Name to file: the program's wheel, those of its libraries, and pip.
    digests
        SHA-256 of each.
    """

    version: str
    schema: str
    program: str
    files: Mapping[str, Path]
    digests: Mapping[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 of the program's wheel."""
        return self.digests[self.program]

    @property
    def size(self) -> int:
        """Bytes to send."""
        return sum(path.stat().st_size for path in self.files.values())

    def manifest(self) -> str:
        """What the appliance is told of the files."""
        others = sorted(set(self.files) - {self.program, INSTALLER})
        told = {"version": self.version, "program": self.program, "others": others, "files": dict(self.digests)}
        return json.dumps(told, indent=1, sort_keys=True) + "\n"


def new_version(wheel: Path, wheels: Path | None, work: Path) -> NewVersion:
    """
    Read a version from a wheel of Gurney, and a folder of its libraries' wheels.

    Parameters
    ----------
    wheels
        Without one, an appliance uses the libraries again that it has.
    work
        A folder for what has to be made.

    Raises
    ------
    NotUpgraded
        A file is not what it has to be; it is named.
    """
    version, schema = _read_program(wheel)
    others = _libraries(wheels) if wheels is not None else []
    files = {path.name: path for path in (wheel, *others, pack_installer(work / INSTALLER))}
    digests = {name: _digest(path) for name, path in files.items()}
    return NewVersion(version, schema, wheel.name, files, digests)


def pack_installer(target: Path) -> Path:
    """
    Pack the pip that belongs to this Python.

    Raises
    ------
    NotUpgraded
        It has none.
    """
    spec = find_spec("pip")
    if spec is None or spec.origin is None:
        raise NotUpgraded("pip is not installed beside gurney: python -m ensurepip")
    folder = Path(spec.origin).parent
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                packed.write(path, f"pip/{path.relative_to(folder)}")
    return target


def _read_program(wheel: Path) -> tuple[str, str]:
    """Version and newest revision of the index."""
    try:
        with zipfile.ZipFile(wheel) as opened:
            names = opened.namelist()
            metadata = next((opened.read(name).decode() for name in names if _OWN.fullmatch(name)), "")
    except (zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise NotUpgraded(f"{wheel}: not a wheel: {error}") from error
    version = HeaderParser().parsestr(metadata).get("Version", "")
    schema = max((found[1] for name in names if (found := _STEP.fullmatch(name))), default="")
    if not version or not schema or wheel.suffix != ".whl":
        raise NotUpgraded(f"{wheel}: not a wheel of Gurney: make one with `pip wheel --no-deps -w dist .`")
    return version, schema


def _libraries(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.glob("*.whl") if not path.name.startswith("gurney-"))
    if not found:
        raise NotUpgraded(f"{folder}: no wheels: fill it with `pip download -r requirements.lock -d {folder}`")
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
