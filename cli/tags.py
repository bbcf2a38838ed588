"""`gurney tags`: the data elements of a DICOM file."""

from __future__ import annotations

import csv
import re
import sys
from typing import TYPE_CHECKING

import click

from cli.console import print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from converter.listing import Row

# Numbers of a DS, IS or other value, several of them by backslashes.
_NUMBER = r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?"
_NUMBERS = re.compile(rf"{_NUMBER}(?:\\{_NUMBER})*")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--find", "wanted", metavar="TEXT", help="Only elements with this text in tag, keyword or value.")
@click.option("--hide", is_flag=True, help="Hide the values that may tell who the patient is.")
@click.option("--json", "as_json", is_flag=True, help="As DICOM JSON (PS3.18 annex F), sequences whole.")
@click.option("--csv", "as_csv", is_flag=True, help="As comma-separated values.")
def tags(file: str, wanted: str | None, *, hide: bool, as_json: bool, as_csv: bool) -> None:
    """Show the data elements of a DICOM FILE, private ones and those in sequences too."""
    from converter.listing import dataset, dicom_json, rows

    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude one another")
    found = dataset(file)
    shown = (row for row in rows(found, hide=hide) if wanted is None or row.matches(wanted))
    if as_json:
        model = dicom_json(found, hide=hide)
        kept = model.keys() if wanted is None else {row.json_key for row in shown}
        print_json({key: model[key] for key in model if key in kept})
        return
    (_as_csv if as_csv else _as_table)(shown)


def _as_csv(rows: Iterable[Row]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(("tag", "vr", "keyword", "value"))
    writer.writerows((row.path, row.vr, row.keyword, _no_formula(row.value)) for row in rows)


def _no_formula(value: str) -> str:
    """The value, marked as text where a spreadsheet would take it for a formula and run it."""
    return f"'{value}" if value[:1] in ("=", "+", "-", "@") and not _NUMBERS.fullmatch(value) else value


def _as_table(rows: Iterable[Row]) -> None:
    for row in rows:
        indent = "  " * row.depth
        tag = row.path[-11:]
        click.echo(f"{indent}{tag} {row.vr} {row.keyword:<{max(1, 40 - len(indent))}} {row.value}".rstrip())
