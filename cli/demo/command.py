"""`gurney demo`: walks the road, shows what was made, and stays until it is told to stop."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from cli import console
from cli.ending import ended_by_signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.demo.walk import Walk

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "community.yaml"


@click.command()
@click.option(
    "--exit", "leave", is_flag=True, help="Tear everything down at the end, instead of staying to be looked at."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for programs, and nothing else.")
@click.option(
    "--send",
    "own",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Send these DICOM files or folders instead of the example studies; may be given several times.",
)
@click.argument("more", nargs=-1, metavar="[FILE]...", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep all state in this folder, to look at it afterwards.",
)
@click.option(
    "-f",
    "--file",
    "community_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=EXAMPLE,
    show_default="docs/examples/community.yaml",
    help="The community to make.",
)
@click.option(
    "--vm",
    "machine_image",
    metavar="IMAGE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Let the appliances be virtual machines that boot from this image (see gurney appliance build).",
)
def demo(
    leave: bool,
    as_json: bool,
    own: tuple[Path, ...],
    more: tuple[Path, ...],
    keep: Path | None,
    community_file: Path,
    machine_image: Path | None,
) -> None:
    """Walk the whole road on the embedded cloud.

    A community file becomes three branches with an appliance each; a CT, an MR and an ultrasound are sent to the first
    one, become pictures in its shared folder, and are referred to the second. Nothing outside this machine is touched.
    """
    with ended_by_signals(), _state(keep) as state:
        journey = _Journey(community_file, state, (*own, *more), machine_image)
        _walk(journey, leave=leave, as_json=as_json, kept=keep is not None)


class _Journey(NamedTuple):
    """What is walked with."""

    community_file: Path
    state: Path
    own: tuple[Path, ...]
    machine_image: Path | None


def _walk(journey: _Journey, *, leave: bool, as_json: bool, kept: bool) -> None:
    from cli.demo import report
    from cli.demo.narrator import Narrator
    from cli.demo.walk import walk

    community_file, state, own, machine_image = journey
    with Narrator() as narrator, walk(community_file, state, own, narrator, machine_image) as walked:
        narrator.rest()
        if as_json:
            console.print_json(report.as_json(walked))
        else:
            report.show(walked, stays=not leave, kept=kept)
        if not leave:
            _stay(walked)


def _stay(walked: Walk) -> None:
    """Stay until Ctrl-C.

    Raises
    ------
    EmulatorError
        When the embedded cloud ends before.
    """
    from emulator.errors import EmulatorError

    with contextlib.suppress(KeyboardInterrupt):
        while not walked.cloud.ended(within_s=1.0):
            pass
        raise EmulatorError(f"The embedded cloud has ended; see {walked.cloud.state / 'emulator.log'}")


@contextlib.contextmanager
def _state(keep: Path | None) -> Iterator[Path]:
    """The folder of all state: the user's, or one that goes away at the end."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise click.UsageError(f"{keep} is not empty, perhaps from an earlier demonstration: name another folder.")
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="gurney-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
