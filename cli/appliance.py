"""The commands of appliances: the service and whether it could run; those beside it visit, build and upgrade."""

from __future__ import annotations

from pathlib import Path

import click

from cli.group import Group
from cli.image import build
from cli.upgrade import upgrade
from cli.visit import execute, logs, ssh, support_bundle
from cli.vm_console import console


class Mount(click.ParamType[tuple[str, Path]]):
    """`TAG=DIR`: where a disk with this mount tag is mounted."""

    name = "TAG=DIR"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        """Split at the first equals sign."""
        tag, equals, folder = value.partition("=")
        if not (tag and equals and folder):
            self.fail(f"{value!r} is not of the form TAG=DIR", param, ctx)
        return tag, Path(folder)


CONTEXT = click.option(
    "--context",
    type=click.Path(path_type=Path),
    default="/run/gurney/context",
    show_default=True,
    help="Directory of the CONTEXT disc.",
)
ARCHIVE = click.option(
    "--archive",
    type=click.Path(path_type=Path),
    default="/srv/archive",
    show_default=True,
    help="Directory of the archive's disk.",
)
MOUNTS = click.option(
    "--mount",
    "mounts",
    type=Mount(),
    multiple=True,
    help="Where the disk with this mount tag is, for 'exchange' and 'outbox'; else as the context says.",
)


@click.group(cls=Group)
def appliance() -> None:
    """Build the image of appliances, run and check their service, look into those that run, and upgrade them."""


for command in (build, console, execute, logs, ssh, support_bundle, upgrade):
    appliance.add_command(command)


@appliance.command()
@CONTEXT
@ARCHIVE
@MOUNTS
@click.option("--address", default="0.0.0.0", show_default=True, help="Address to listen on.")  # noqa: S104 - a VM's service
@click.option("--dicom-port", type=click.IntRange(1, 65535), default=11112, show_default=True)
@click.option("--http-port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@click.option("--dicom-tls-port", type=click.IntRange(1, 65535), default=2762, show_default=True)
@click.option("--https-port", type=click.IntRange(1, 65535), default=8443, show_default=True)
@click.option(
    "--closed-while", type=click.Path(path_type=Path), help="While this file is there, answer on loopback alone."
)
def run(
    context: Path, archive: Path, mounts: tuple[tuple[str, Path], ...], address: str, dicom_port: int, http_port: int,
    closed_while: Path | None, dicom_tls_port: int, https_port: int,
) -> None:  # fmt: skip
    """Receive, keep, draw, show and refer, until SIGTERM."""
    from cli.loading import load_service

    load_service()
    from appliance.journal import write_json_lines
    from appliance.service import Places
    from appliance.service import run as serve

    write_json_lines()
    clear, secure = (dicom_port, http_port), (dicom_tls_port, https_port)
    serve(Places(context, archive, dict(mounts), address, *clear, closed_while, *secure))


@appliance.command()
@CONTEXT
@MOUNTS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check(context: Path, mounts: tuple[tuple[str, Path], ...], *, as_json: bool) -> None:
    """Read the context and say who this appliance is, or what is wrong."""
    from appliance.context import read_context
    from cli.console import print_json

    found = read_context(context, dict(mounts))
    facts = {
        "community": found.community,
        "branch": found.branch,
        "ae_title": found.ae_title,
        "vm_id": found.vm_id,
        "onegate": found.onegate.endpoint if found.onegate else None,
        "exchange": str(found.exchange),
        "outbox": str(found.outbox),
    }
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' '):<10} {value if value is not None else 'none'}")


@appliance.command()
@CONTEXT
@ARCHIVE
@MOUNTS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def identity(context: Path, archive: Path, mounts: tuple[tuple[str, Path], ...], *, as_json: bool) -> None:
    """Print this appliance's public keys, and the proof that it holds them; run in its VM, as root."""
    from appliance.context import read_context
    from appliance.enrolment.identity import identity as own_identity
    from cli.console import print_json

    told = own_identity(read_context(context, dict(mounts)), archive)
    if as_json:
        print_json(told)
        return
    for name, value in told.items():
        click.echo(f"{name:<16} {value}")
