"""Files are sent to an appliance: what lies there already, whole, is not sent again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from provision.visit.errors import NotUpgraded
from provision.visit.versions import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.visit.shell import Shell
    from provision.visit.versions import NewVersion

MIB = 1024 * 1024


def send(shell: Shell, version: NewVersion, folder: str, tell: Callable[[str], None]) -> None:
    """
    Send a version's files into a folder; the list of them is written last.

    Raises
    ------
    NotUpgraded
        The folder cannot be made or written.
    """
    there = _there(shell, folder)
    missing = {name: path for name, path in version.files.items() if there.get(name) != version.digests[name]}
    whole, sent = sum(path.stat().st_size for path in missing.values()), 0
    for name, path in missing.items():
        tell(f"receives {sent / MIB:.0f} of {whole / MIB:.0f} MiB")
        _put(shell, path.read_bytes(), f"{folder}/{name}")
        sent += path.stat().st_size
    _put(shell, version.manifest().encode(), f"{folder}/{MANIFEST}")


def _there(shell: Shell, folder: str) -> dict[str, str]:
    """Name to checksum of what lies there."""
    place = shlex.quote(folder)
    said = shell.run(f"mkdir -p {place} && cd {place} && {{ sha256sum -- * 2>/dev/null || true; }}")
    if said.code:
        raise NotUpgraded(said.err.strip())
    lines = (line.split(maxsplit=1) for line in said.out.splitlines())
    return {words[1]: words[0] for words in lines if len(words) == 2}


def _put(shell: Shell, content: bytes, place: str) -> None:
    """Write a file whole."""
    part = f"{place}.part"
    said = shell.run(f"cat > {shlex.quote(part)} && mv {shlex.quote(part)} {shlex.quote(place)}", content)
    if said.code:
        raise NotUpgraded(f"{place} cannot be written: {said.err.strip() or said.code}")
