"""The tally of an import: what became of each file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum


class Fate(Enum):
    """What became of a file, in the words of a report."""

    NEW = "new"
    AGAIN = "kept before"
    ELSEWHERE = "kept before, as images of another patient"
    REFUSED = "not filed"
    NO_IMAGE = "no images"

    @property
    def is_kept(self) -> bool:
        """Whether the archive has it."""
        return self in {Fate.NEW, Fate.AGAIN, Fate.ELSEWHERE}


@dataclass
class Tally:
    """What one import came to."""

    fates: Counter[Fate] = field(default_factory=Counter)
    studies: Counter[str] = field(default_factory=Counter)

    def count(self, fate: Fate, study_instance_uid: str = "") -> None:
        """Count a file."""
        self.fates[fate] += 1
        if fate is Fate.NEW:
            self.studies[study_instance_uid] += 1

    def add(self, other: Tally) -> None:
        """Count what another tally has."""
        self.fates += other.fates
        self.studies += other.studies

    @property
    def images(self) -> int:
        """How many DICOM instances there were, kept or not."""
        return self.fates.total() - self.fates[Fate.NO_IMAGE]

    @property
    def kept(self) -> int:
        """How many of them the archive has."""
        return sum(count for fate, count in self.fates.items() if fate.is_kept)
