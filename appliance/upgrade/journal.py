"""What an upgrade has begun and not finished; while it lies there, the service stays closed."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from appliance.disk import flush

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Journal:
    """An upgrade that is under way.

    Attributes
    ----------
    place
        The folder of the version before; empty for the image's own.
    schema
        The revision of the index before; empty where there was no index.
    disk
        Where the whole root disk is replaced: the machine-id of the one before; else empty.
    mark
        What tells one replacement from the next, however the clock is set meanwhile.
    """

    place: str
    schema: str
    disk: str = ""
    mark: str = ""


def begin(path: Path, journal: Journal) -> None:
    """Note what is begun, durably, before anything is touched."""
    new = path.with_suffix(".new")
    with new.open("w") as file:
        json.dump(asdict(journal), file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    flush(path.parent)


def begun(path: Path) -> Journal | None:
    """What was begun and not finished; the image that began it may be a later one, which notes more."""
    try:
        told = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return Journal(**{each.name: told[each.name] for each in fields(Journal) if each.name in told})


def finish(path: Path) -> None:
    """It is done, or undone: the service opens."""
    path.unlink(missing_ok=True)
    flush(path.parent)
