"""Remarks of what runs again and again: one line in the log when something changes, not one each round."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

#: Subjects; others can make up new ones.
REMEMBERED = 1000


class Remarks:
    """What was last said about each subject."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._said: dict[str, tuple[str, ...]] = {}

    def say(self, about: str, *remarks: str) -> None:
        """Log what is new among the remarks about a subject, and that there are no more when there were some."""
        before = self._said.get(about, ())
        for remark in remarks:
            if remark not in before:
                self._log.warning(about, remark=remark)
        if before and not remarks:
            self._log.info(about, remark="well again")
        self._said.pop(about, None)
        if remarks:
            self._said[about] = remarks
        while len(self._said) > REMEMBERED:
            del self._said[next(iter(self._said))]
