"""What an admin has sent for an upgrade: wheels and what installs them, checked byte for byte."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.boot.machine import Trouble
from appliance.upgrade.programs import newest_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MANIFEST = "manifest.json"
#: pip, as a folder of code in a zip file: an appliance has none.
INSTALLER = "pip.zip"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")
_VERSION = re.compile(r"[0-9][A-Za-z0-9._+-]{0,63}")


@dataclass(frozen=True)
class Stage:
    """A checked folder of what is to be installed.

    Attributes
    ----------
    program
        The wheel of Gurney.
    others
        The wheels of what it needs; none where those of the present version are used again.
    digests
        SHA-256 of every file.
    """

    folder: Path
    version: str
    program: str
    others: tuple[str, ...]
    digests: Mapping[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 of the program's wheel: what else is installed is what it asks for."""
        return self.digests[self.program]

    @property
    def place(self) -> str:
        """The name of the version's folder."""
        return f"{self.version}-{self.digest[:12]}"

    @property
    def size(self) -> int:
        """Bytes that the wheels take when they are unpacked."""
        return sum(_unpacked(self.folder / name) for name in (self.program, *self.others))

    @property
    def schema(self) -> str:
        """The newest revision of the index that the program knows."""
        with zipfile.ZipFile(self.folder / self.program) as wheel:
            return newest_in(wheel.namelist())


def read_stage(folder: Path) -> Stage:
    """
    Check what was sent.

    Raises
    ------
    Trouble
        A file is missing, is another than was sent, or has a name that no wheel has.
    """
    try:
        told = json.loads((folder / MANIFEST).read_text())
        digests = {str(name): str(digest) for name, digest in told["files"].items()}
        stage = Stage(folder, str(told["version"]), str(told["program"]), tuple(told["others"]), digests)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Trouble(f"{folder / MANIFEST}: not what an admin sends: {error}") from error
    names = {INSTALLER, stage.program, *stage.others}
    if not _VERSION.fullmatch(stage.version) or set(digests) != names or not all(map(_NAME.fullmatch, names)):
        raise Trouble(f"{folder / MANIFEST}: not what an admin sends")
    for name in sorted(names):
        _check(folder / name, digests[name])
    return stage


def _check(file: Path, wanted: str) -> None:
    try:
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise Trouble(f"{file.name}: {error.strerror}: send it again") from error
    if found != wanted:
        file.unlink()
        raise Trouble(f"{file.name}: has the checksum {found}, not {wanted}: send it again")


def _unpacked(file: Path) -> int:
    try:
        with zipfile.ZipFile(file) as wheel:
            return sum(member.file_size for member in wheel.infolist())
    except zipfile.BadZipFile as error:
        raise Trouble(f"{file.name}: {error}") from error
