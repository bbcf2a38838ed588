"""The question before something is changed that cannot be taken back."""

from __future__ import annotations

import click

from cli.console import print_json


def consent(question: str, *, yes: bool, as_json: bool) -> bool:
    """Ask, unless `--yes` has answered; where the answer is no, say that nothing was changed."""
    if yes or click.confirm(question, err=True):
        return True
    click.echo("Nothing was changed.", err=True)
    if as_json:
        print_json({"changed": False})
    return False
