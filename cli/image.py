"""The command `gurney appliance build`: makes the image that appliances are started from."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.desk import check_writable
from cli.ending import ended_by_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.image.progress import Step

MEGABYTE = 1_000_000


@click.command()
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    default="gurney-appliance.qcow2",
    show_default=True,
    help="Where to write the image; its bill of materials is written beside it.",
)
@click.option("--mirror", default="", help="Debian mirror; else the one that this machine's apt uses.")
@click.option("--refresh", is_flag=True, help="Look for newer packages than the last build used.")
@click.option(
    "--lock",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Locked requirements; else those of this checkout.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def build(target: Path, mirror: str, lock: Path | None, *, refresh: bool, as_json: bool) -> None:
    """Build a bootable image of the appliance from Debian packages and wheels."""
    from cli.console import print_json
    from provision.image.builder import Order, own_lock
    from provision.image.builder import build as make

    check_writable(target.parent, "--output")  # before the build, which takes minutes
    begun = time.monotonic()
    with ended_by_signals():
        built = make(Order(target, lock or own_lock(), mirror, refresh), _teller(quiet=as_json))
    seconds = round(time.monotonic() - begun, 1)
    facts = {
        "image": str(built.image),
        "bill_of_materials": str(built.bill),
        "bytes": built.size,
        "files": built.files,
        "tree_sha256": built.digest,
        "seconds": seconds,
    }
    if as_json:
        print_json(facts)
        return
    click.echo(f"{built.image}: {built.size / MEGABYTE:.0f} MB, {built.files} files, built in {seconds:.0f} s")
    click.echo(f"file tree  sha256:{built.digest}")


def _teller(*, quiet: bool) -> Callable[[Step], None] | None:
    from cli.console import progress_console
    from provision.image.progress import STEPS

    if quiet:
        return None
    console, begun = progress_console(), time.monotonic()

    def tell(step: Step) -> None:
        console.print(f"[{step.number}/{len(STEPS)}] {time.monotonic() - begun:4.0f} s  {step.words}", markup=False)

    return tell
