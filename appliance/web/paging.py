"""A page of a longer list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

#: The largest number that the index takes (SQLite's INTEGER).
MOST = 2**31 - 1

#: How much of a list a program asks for at once, and from where; and the header that says how much there is.
Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=MOST)]
TOTAL = "X-Total-Count"
#: The page of a list that a browser asks for.
Page = Annotated[int, Query(alias="page", ge=1, le=MOST)]


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
