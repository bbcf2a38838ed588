"""`gurney identity`: the admin's own key, which opens the communities' keys."""

from __future__ import annotations

import click

from cli.console import print_json, progress_console
from cli.desk import JSON


@click.command()
@JSON
def identity(*, as_json: bool) -> None:
    """Print your public key, to be put under `admins:` in a community file; make the identity where there is none.

    It lies in $GURNEY_IDENTITY, or in gurney/identity.txt in your configuration folder.
    """
    from provision.enrolling.identity import own_identity

    own = own_identity()
    own.keep()
    if as_json:
        print_json({"path": own.path, "recipient": own.recipient, "made": own.made})
        return
    if own.made:
        progress_console().print(f"Made {own.path}. Keep it.", soft_wrap=True)
    click.echo(own.recipient)
