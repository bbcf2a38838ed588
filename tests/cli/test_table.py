"""A table at any width of the terminal: no word, name, address or amount is folded, and nothing is left out."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.markup import escape

from cli.plan_view import FLEET, fleet_table, status_table
from cli.table import WHOLE_CELLS, Table, groups, taken
from provision.fleet.branch_status import BranchStatus
from provision.fleet.glance import FleetLine, Usage
from provision.planning.plan import Plan

WAITING = "it does not answer at https://10.20.2.10:8443: is its network up?"
PLACES = {"http": "https://erode.hospitals.example:8443", "dicom": "ERODE@10.20.1.10:11112"}


def lines_of(table: object, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, soft_wrap=True, highlight=False).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines() if line.strip(" ─")]


def status(name: str, words: str) -> BranchStatus:
    return BranchStatus(name, 12, "RUNNING", "10.20.1.10", **PLACES, enrolled=True, ready=False, words=words)


def fleet() -> list[FleetLine]:
    amounts = (Usage(2, 4), Usage(4096, 8192), Usage(204800, 512000), 204800, 1234 * 1024)
    return [
        FleetLine(status(name, words), "node-1.example", "MONITORED", *amounts, None, 0)
        for name, words in (("erode", "ready"), ("salem", WAITING))
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 132, 240])
def test_the_fleet_is_readable(width: int) -> None:
    lines = lines_of(fleet_table(fleet(), {"erode": True, "salem": False}), width)
    text = "\n".join(lines)
    for whole in ("12 RUNNING", "answers", "silent", "4/8 GiB", "200/500 GiB", "1234 GiB", "never", *FLEET):
        assert whole in text
    assert all(word in text.split() for word in WAITING.split())


def test_the_fleet_at_80_columns_is_two_tables_that_fit() -> None:
    lines = lines_of(fleet_table(fleet(), {"erode": True, "salem": False}), 80)
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if line[1] != " "] == ["branch", "erode", "salem"] * 2


def test_the_fleet_is_one_table_where_there_is_room() -> None:
    lines = lines_of(fleet_table(fleet(), {"erode": True, "salem": False}), 240)
    assert len(lines) == 3
    assert WAITING in lines[2]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_addresses_stay_whole(width: int) -> None:
    text = "\n".join(lines_of(status_table([status("erode", WAITING)], Plan("kongu", (), {}, ())), width))
    assert all(address in text for address in PLACES.values())


#: Without what rich's markup reads in its own way: \\ at an end, and :names: of emoji.
LETTERS = st.characters(categories=("L", "N", "P"), max_codepoint=0x24F, exclude_characters="\\:")
CELLS = st.lists(st.text(LETTERS, min_size=1, max_size=40), min_size=1, max_size=5).map(" ".join)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), min_size=1, max_size=3)


@settings(deadline=None, max_examples=60)
@given(rows=ROWS, width=st.integers(20, 200))
def test_every_word_of_any_table_stands_whole(rows: list[tuple[str, ...]], width: int) -> None:
    table = Table(("name", "what", "where", "when"))
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    shown = Counter(word for line in lines_of(table, width) for word in line.split())
    assert not Counter(word for row in rows for cell in row for word in cell.split()) - shown


@given(least=st.lists(st.integers(1, 90), min_size=1, max_size=14), room=st.integers(20, 200))
def test_every_column_has_its_place(least: list[int], room: int) -> None:
    made = list(groups(least, room))
    assert [index for group in made for index in group if index] == list(range(1, len(least)))
    assert all(group[0] == 0 for group in made)
    assert all(taken([least[index] for index in group]) <= room for group in made if len(group) > 2)


def test_short_cells_are_not_wrapped_at_their_blanks() -> None:
    table = Table(("branch", "disk"))
    table.add_row("erode", "2000/5000 GiB")
    assert len("2000/5000 GiB") <= WHOLE_CELLS
    assert any("2000/5000 GiB" in line for line in lines_of(table, 20))
