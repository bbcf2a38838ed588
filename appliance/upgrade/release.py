"""One version of the service that is installed, and which of two is the newer one."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: PEP 440, "Public version identifiers", without epochs.
_VERSION = re.compile(r"(\d+(?:\.\d+)*)[._-]?(?:(dev|a|b|rc)[._-]?(\d*))?(?:[._-]?post(\d+))?(?:\+[\w.]+)?")
PHASES = {"dev": 0, "a": 1, "b": 2, "rc": 3, None: 4}


@dataclass(frozen=True)
class Release:
    """One version.

    Attributes
    ----------
    place
        The name of its folder; empty for the image's own.
    digest
        SHA-256 of the wheel that it was installed from; empty for the image's own.
    over
        The version of the image that it was put over.
    """

    version: str
    place: str = ""
    digest: str = ""
    over: str = ""

    def text(self) -> str:
        """As its notes hold it."""
        return json.dumps(asdict(self)) + "\n"


def own_release() -> Release:
    """The image's own: the one that this program belongs to."""
    from importlib.metadata import PackageNotFoundError, version  # what no boot needs that has nothing to choose

    try:
        return Release(version("gurney"))
    except PackageNotFoundError:
        return Release("0")


def read_release(notes: Path) -> Release | None:
    """What the notes of a version say; None where there are none."""
    try:
        told = json.loads(notes.read_text())
        return Release(**{name: str(told[name]) for name in ("version", "place", "digest", "over")})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def newer(one: str, other: str) -> bool:
    """Whether one version comes after another (PEP 440, "Summary of permitted suffixes and relative ordering")."""
    return _key(one) > _key(other)


def _key(text: str) -> tuple[tuple[int, ...], int, int, int]:
    found = _VERSION.fullmatch(text)
    if found is None:
        return (), 0, 0, 0
    numbers = [int(number) for number in found[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), PHASES[found[2]], int(found[3] or 0), int(found[4] or 0)
