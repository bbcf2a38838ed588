"""The table in docs/emulator.md of which methods are answered; `python -m tests.emulator.method_table` writes it."""

from __future__ import annotations

import gzip
import json
from itertools import groupby
from pathlib import Path

from emulator.methods import METHODS
from tests.emulator.recording import DATA

PAGE = Path(__file__).parents[2] / "docs" / "emulator.md"
BEGIN, END = "<!-- methods: generated -->\n", "<!-- end of methods -->\n"


def real_methods() -> set[str]:
    """What a real front end of release 7.4 lists."""
    with gzip.open(DATA / "signatures.json.gz", "rt", encoding="utf-8") as file:
        return set(json.load(file))


def table() -> str:
    """The answered methods by noun, and those that are not."""
    answered = sorted(name.removeprefix("one.").split(".", 1) for name in METHODS if name.startswith("one."))
    rows = [
        f"| `{noun}` | {', '.join(verb for _, verb in group)} |"
        for noun, group in groupby(answered, lambda one: one[0])
    ]
    missing = sorted(name for name in real_methods() - set(METHODS) if name.startswith("one."))
    count = len(answered)
    lines = [
        f"{count} of the {count + len(missing)} methods `one.*` of a real front end are answered.",
        "",
        "| `one.` | methods |",
        "|---|---|",
        *rows,
        "",
        f"Not answered (-506): {', '.join(f'`{name}`' for name in missing)}.",
        "",
    ]
    return "\n".join(lines)


def page_with(text: str, generated: str) -> str:
    """A page whose generated part is replaced."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + generated + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), table()), encoding="utf-8")
