"""A page of a longer list."""

from __future__ import annotations

from dataclasses import dataclass

#: The largest number that the index takes (SQLite's INTEGER).
MOST = 2**31 - 1


@dataclass(frozen=True)
class Paging:
    """The page that was asked for, counted from 1, of a list of `total`, `size` a page."""

    asked: int
    size: int
    total: int

    @property
    def number(self) -> int:
        """Its number; who asks for one beyond the list, which may have been longer, has the last."""
        return min(self.asked, self.pages)

    @property
    def offset(self) -> int:
        """How many come before it."""
        return (self.number - 1) * self.size

    @property
    def pages(self) -> int:
        """How many pages there are; an empty list has one."""
        return max(1, -(-self.total // self.size))

    @property
    def previous(self) -> int | None:
        """The page before, if any."""
        return self.number - 1 if self.number > 1 else None

    @property
    def next(self) -> int | None:
        """The page after, if any."""
        return self.number + 1 if self.number < self.pages else None
