"""docs/emulator.md tells which methods are answered."""

from __future__ import annotations

from emulator.methods import METHODS
from tests.emulator.method_table import PAGE, page_with, real_methods, table


def test_table_is_current() -> None:
    """The table is as `python -m tests.emulator.method_table` writes it."""
    text = PAGE.read_text(encoding="utf-8")
    assert text == page_with(text, table())


def test_no_method_is_invented() -> None:
    """Every answered method is one of the real front end."""
    assert {name for name in METHODS if name.startswith("one.")} <= real_methods()
