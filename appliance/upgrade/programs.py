"""Where the versions of the service lie: the image's own on the root disk, all others on the archive's disk."""

from __future__ import annotations

import fcntl
import re
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from appliance.boot.archive_disk import STATE
from appliance.boot.machine import Trouble
from appliance.disk import flush
from appliance.upgrade.release import Release, own_release, read_release

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from appliance.boot.machine import Machine

#: The archive's disk is mounted noexec: where its folder of versions is seen so that libraries can be loaded from it.
SEEN = "/opt/gurney/installed"
IMAGE = "/opt/gurney/current"
#: The notes of a release, written last: a version without them is half made.
NOTES = "release.json"
MIGRATIONS = "appliance/index/migrations/versions"
_STEP = re.compile(rf"(?:.*/)?{MIGRATIONS}/(\d{{4}})_\w+\.py")
SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


class Programs:
    """The versions in one machine."""

    def __init__(self, machine: Machine) -> None:
        self.folder = machine.path(STATE, "programs")
        self.archive = machine.path(STATE, "archive")
        self.seen = machine.path(SEEN)
        self.image = machine.path(IMAGE)
        self.chosen = self.folder / "chosen"
        self.journal = self.folder / "upgrade.json"
        self.stages = self.folder / "stage"

    def environment(self, release: Release) -> Path:
        """The environment of a version, as it is run."""
        return self.seen / release.place if release.place else self.image

    def current(self) -> Release:
        """The version that the service runs with when it is started next."""
        place = self.chosen.readlink().name if self.chosen.is_symlink() else ""
        return (read_release(self.folder / place / NOTES) if place else None) or own_release()

    def schema(self, release: Release) -> str:
        """The newest revision of the index that a version knows."""
        site = self.environment(release) / SITE
        return newest_in(str(path) for path in (site / MIGRATIONS).glob("*.py"))

    def choose(self, place: str) -> None:
        """Let the service run with the version of a folder, or with the image's own: one rename, or one unlink."""
        if place:
            new = self.folder / "chosen.new"
            new.unlink(missing_ok=True)
            new.symlink_to(place)
            new.replace(self.chosen)
        else:
            self.chosen.unlink(missing_ok=True)
        flush(self.folder)

    def sweep(self, *kept: str) -> None:
        """Remove what is half made, and every whole version but the kept ones."""
        for folder in self.folder.iterdir():
            whole = (folder / NOTES).is_file() and folder.name in kept
            if folder.is_dir() and not folder.is_symlink() and folder != self.stages and not whole:
                (folder / NOTES).unlink(missing_ok=True)
                shutil.rmtree(folder)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others out; the lock goes with the process.

        Raises
        ------
        Trouble
            Another upgrade is under way.
        """
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Trouble("another upgrade of this appliance is under way") from None
            yield

    def busy(self) -> bool:
        """Whether an upgrade is under way now."""
        try:
            with self.alone():
                return False
        except Trouble:
            return True


def newest_in(files: Iterable[str]) -> str:
    """The newest revision of the index that a program knows, by the names of its files; empty where it has none."""
    return max((found[1] for name in files if (found := _STEP.fullmatch(name))), default="")
