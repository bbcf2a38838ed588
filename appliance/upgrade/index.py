"""The index, as an upgrade sees it: its revision, and the copy that a migration has left.

`python -m appliance.upgrade.index revision|restore` runs as the service's user: what root would leave beside the
index, the service could not write.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance.boot.machine import Trouble, last_line
from appliance.disk import flush

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAME = "index.sqlite"
UNDONE = "index-undone.sqlite"
LOG, SHARED = f"{NAME}-wal", f"{NAME}-shm"


def copy_of(archive: Path, revision: str) -> Path:
    """Where `appliance.index` keeps the index as it was at a revision, before it migrates it."""
    return archive / f"index-{revision}.sqlite"


def ask(archive: Path, question: str, *arguments: str) -> str:
    """
    Ask about the index of a stopped or running service, as its user.

    Raises
    ------
    Trouble
        It could not be done; with the reason.
    """
    return as_owner(
        archive, [sys.executable, "-I", "-m", "appliance.upgrade.index", question, str(archive), *arguments]
    )


def as_owner(archive: Path, command: Sequence[str]) -> str:
    """
    Run a program as the user to whom the archive belongs, and return what it says.

    Raises
    ------
    Trouble
        It failed; with its last line.
    """
    owner = archive.stat()
    other: dict[str, Any] = {}
    if owner.st_uid != os.geteuid():
        other = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(archive), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=archive, env=environment, **other)
    if done.returncode:
        raise Trouble(last_line(done.stderr) or f"{command[0]} ended with {done.returncode}")
    return str(done.stdout).strip()


def revision(archive: Path) -> str:
    """The revision of the index; empty where there is none yet."""
    if not (archive / NAME).is_file():
        return ""
    with closing(sqlite3.connect(f"file:{archive / NAME}?mode=rw", uri=True, timeout=10)) as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
            return ""
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(found[0]) if found else ""


def restore(archive: Path, wanted: str) -> str:
    """
    Put the index back to a revision, from the copy of it; does nothing where it has that revision.

    It needs no room: the copy takes the index's place. Where there was no index, the one that a closed service has
    made is put aside.
    """
    if revision(archive) == wanted:
        return wanted
    if not wanted:
        fold(archive)
        (archive / NAME).replace(archive / UNDONE)
        return wanted
    copy = copy_of(archive, wanted)
    if not copy.is_file():
        raise FileNotFoundError(f"{copy}: the copy of the index is gone")
    fold(archive)
    copy.replace(archive / NAME)
    flush(archive)
    return wanted


def fold(archive: Path) -> None:
    """Let no log lie beside the index: SQLite would play the old one's into the copy."""
    with closing(sqlite3.connect(f"file:{archive / NAME}?mode=rw", uri=True, timeout=10)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for name in (LOG, SHARED):
        (archive / name).unlink(missing_ok=True)


VERBS: dict[str, Callable[..., str]] = {"revision": revision, "restore": restore}


def main(arguments: list[str]) -> int:
    """What a process of the service's user does."""
    verb, archive, *rest = arguments
    try:
        print(VERBS[verb](Path(archive), *rest))  # noqa: T201 - the answer
    except (OSError, sqlite3.Error) as error:
        print(f"{archive}: {error}", file=sys.stderr)  # noqa: T201 - the reason
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
