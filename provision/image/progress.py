"""How far a build is: a step begins, and its time is told when the next one does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = (
    "Looking up the packages",
    "Looking up the wheels",
    "Laying out the program",
    "Installing Debian",
    "Making the file system",
    "Making it bootable",
    "Compressing the image",
)


@dataclass(frozen=True)
class Step:
    """A step that begins; `number` counts from 1 to `len(STEPS)`."""

    number: int
    words: str


def teller(on_progress: Callable[[Step], None] | None) -> Callable[[int], None]:
    """A function that tells, by its number, that a step begins."""

    def tell(number: int) -> None:
        if on_progress is not None:
            on_progress(Step(number, STEPS[number - 1]))

    return tell
