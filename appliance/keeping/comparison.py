"""The comparison: what the file that is kept under a UID is beside the one that comes now; it needs no transaction."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from appliance.keeping.content import content_of
from appliance.keeping.part10 import data_set_digest

if TYPE_CHECKING:
    from pathlib import Path

    from appliance.keeping.spool import Arrival


class Likeness(Enum):
    """How alike two files are; what is lost, or what the disk does not give any more, is like none."""

    SAME_FILE = "same file"
    SAME_DATA_SET = "same data set"
    SAME_CONTENT = "same content"
    OTHER = "other"


@dataclass(frozen=True)
class Comparison:
    """How alike an arrival and a kept file are, and which file was kept: its device and inode, None for none."""

    likeness: Likeness
    kept: tuple[int, int] | None

    def stands(self, path: Path) -> bool:
        """Whether it is still of the file that lies there: kept files are replaced, never written to."""
        return self.kept == _identity(path)


def compare(arrival: Arrival, path: Path) -> Comparison:
    """Read what is kept at a path, where there is something, and the arrival where that is another file."""
    kept = _identity(path)
    return Comparison(Likeness.OTHER if kept is None else _likeness(arrival, path), kept)


def _likeness(arrival: Arrival, path: Path) -> Likeness:
    try:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == arrival.sha256:
                return Likeness.SAME_FILE
        kept = data_set_digest(path)
        if data_set_digest(arrival.path) == kept:
            return Likeness.SAME_DATA_SET
        said = content_of(path)
    except OSError:  # a bad sector, say: it is as good as lost
        return Likeness.OTHER
    again = content_of(arrival.path) if said is not None else None
    return Likeness.SAME_CONTENT if said and again and again.is_that_of(said) else Likeness.OTHER


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
