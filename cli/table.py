"""A table that stays readable where the terminal is narrow: cells stay whole, and columns move into a second one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table as RichTable

#: Names, addresses and amounts are shorter, or one word; longer cells are wrapped at their blanks, down to this width.
WHOLE_CELLS = 14
#: What a column and a table take besides the cells: a blank of padding and a divider; the left edge.
PER_COLUMN, PER_TABLE = 2, 1


@dataclass
class Table:
    """Headings and rows in rich's markup; the first column names the row, and stands in each table that it becomes."""

    headings: Sequence[str]
    title: str | None = None
    rows: list[Sequence[str]] = field(default_factory=list)

    def add_row(self, *cells: str) -> None:
        """Put a row below the others."""
        self.rows.append(cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the tables that it becomes, as rich asks for them."""
        columns = [_Column.of(cells) for cells in zip(self.headings, *self.rows, strict=True)]
        for number, group in enumerate(groups([each.least for each in columns], options.max_width)):
            widths = grown([columns[index] for index in group], options.max_width)
            made = self._part(group, widths, self.title if number == 0 else None)
            # Rich would fold words where a single cell is wider than the terminal.
            room = max(options.max_width, taken(widths))
            yield from console.render(made, options.update(max_width=room, no_wrap=False))

    def _part(self, group: Sequence[int], widths: Sequence[int], title: str | None) -> RichTable:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table as RichTable

        made = RichTable(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for index, width in zip(group, widths, strict=True):
            made.add_column(self.headings[index], width=width)
        for row in self.rows:
            made.add_row(*(row[index] for index in group))
        return made


@dataclass(frozen=True)
class _Column:
    """How wide a column has to be, and would like to be."""

    least: int
    full: int

    @classmethod
    def of(cls, cells: Sequence[str]) -> _Column:
        from rich.cells import cell_len
        from rich.text import Text

        plain = [Text.from_markup(cell).plain for cell in cells]
        full = max(cell_len(cell) for cell in plain)
        word = max(cell_len(word) for cell in plain for word in cell.split() or [""])
        return cls(min(full, max(word, WHOLE_CELLS)), full)


def taken(widths: Sequence[int]) -> int:
    """Columns of a terminal that a table of these widths takes."""
    return sum(widths) + PER_COLUMN * len(widths) + PER_TABLE


def groups(least: Sequence[int], room: int) -> Iterator[list[int]]:
    """Which columns stand side by side; the first one is in each group."""
    group = [0]
    for index in range(1, len(least)):
        if len(group) > 1 and taken([least[each] for each in (*group, index)]) > room:
            yield group
            group = [0]
        group.append(index)
    yield group


def grown(columns: Sequence[_Column], room: int) -> list[int]:
    """The columns' widths, after what is left of the room was given to those that would like more."""
    widths = [each.least for each in columns]
    for index, column in enumerate(columns):
        widths[index] += max(0, min(column.full - column.least, room - taken(widths)))
    return widths
