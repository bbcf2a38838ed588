"""Which Debian an image is made of: the one whose Python is the one that runs here."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from provision.image.errors import ImageNotBuilt

#: Debian's release for a version of Python. What the tests ran with on this machine is then what runs in the VM,
#: wheel for wheel (docs/decisions/0700-the-image-is-debian-12.md).
SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}


@dataclass(frozen=True)
class Release:
    """A release of Debian and the Python in it."""

    suite: str
    python: str


def own_release(version: tuple[int, int] = sys.version_info[:2]) -> Release:
    """
    The release whose Python runs here.

    Raises
    ------
    ImageNotBuilt
        No release of Debian has this Python.
    """
    if version not in SUITES:
        known = " or ".join(f"{major}.{minor} ({suite})" for (major, minor), suite in SUITES.items())
        raise ImageNotBuilt(f"an image is built with the Python of a Debian release: run gurney with Python {known}")
    return Release(SUITES[version], f"{version[0]}.{version[1]}")
