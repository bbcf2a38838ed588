"""`gurney tags`: the data elements of a DICOM file."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from converter.listing import Row


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--find", "wanted", metavar="TEXT", help="Only elements with this text in tag, keyword or value.")
@click.option("--hide", is_flag=True, help="Hide the values that may tell who the patient is.")
@click.option("--json", "form", flag_value="json", help="As DICOM JSON (PS3.18 annex F); --find does not apply.")
@click.option("--csv", "form", flag_value="csv", help="As comma-separated values.")
def tags(file: str, wanted: str | None, hide: bool, form: str | None) -> None:
    """Show the data elements of a DICOM FILE, private ones and those in sequences too."""
    from converter.listing import dataset, dicom_json, rows

    found = dataset(file)
    if form == "json":
        click.echo(json.dumps(dicom_json(found, hide=hide), ensure_ascii=False, indent=2))
        return
    shown = (row for row in rows(found, hide=hide) if wanted is None or row.matches(wanted))
    _WRITERS[form](shown)


def _as_csv(rows: Iterable[Row]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(("tag", "vr", "keyword", "value"))
    writer.writerows((row.path, row.vr, row.keyword, row.value) for row in rows)


def _as_table(rows: Iterable[Row]) -> None:
    for row in rows:
        indent = "  " * row.depth
        tag = row.path[-11:]
        click.echo(f"{indent}{tag} {row.vr} {row.keyword:<{max(1, 40 - len(indent))}} {row.value}".rstrip())


_WRITERS: dict[str | None, Callable[[Iterable[Row]], None]] = {None: _as_table, "csv": _as_csv}
