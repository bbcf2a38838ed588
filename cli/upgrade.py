"""The command `gurney appliance upgrade`: a new version of the service, one branch after the other."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.console import print_json
from cli.desk import JSON, TAKE_OVER
from cli.inviting import made_at, never_lost
from cli.inviting import show as show_made
from cli.visit import visiting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.visit import Visit
    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.errors import ProvisionError
    from provision.visit.far_side import FarSide
    from provision.visit.rounds import Round
    from provision.visit.shell import Machine, Shell
    from provision.visit.upgrade import Upgraded
    from provision.visit.versions import NewVersion

WHEEL_PATIENCE_S, IMAGE_PATIENCE_S = 180.0, 900.0
EXISTING = click.Path(exists=True, path_type=Path)


@click.command()
@visiting
@JSON
@click.option("--wheel", type=EXISTING, help="The new version: a wheel of Gurney.")
@click.option("--wheels", type=EXISTING, help="Folder of its libraries' wheels, where they have changed.")
@click.option("--image", "by_image", is_flag=True, help="Replace root disks by the image of the community file.")
@click.option("--all", "everywhere", is_flag=True, help="In every branch.")
@click.option("--keep-going", is_flag=True, help="Go on even after a branch that was left not serving.")
@TAKE_OVER
@click.option(
    "--patience", "patience_s", type=click.FloatRange(5),
    help="Seconds that a version may take until it answers.  [default: 180; with --image 900]",
)  # fmt: skip
@click.argument("branches", nargs=-1, metavar="[NAME]...")
def upgrade(
    visit: Visit, wheel: Path | None, wheels: Path | None, patience_s: float | None, branches: tuple[str, ...],
    *, by_image: bool, as_json: bool, everywhere: bool, keep_going: bool, take_over: bool,
) -> None:  # fmt: skip
    """Put appliances on another version, one after the other; one that does not answer then is rolled back by itself.

    With --wheel the service is replaced; with --image the whole root disk, by the image that the community file
    names now. The archive stays.

    A branch that fails and serves as before does not stop the others; one that was stopped, and is not known to serve
    again, ends it, unless --keep-going is given. Run it again after an interruption: what is up to date already is
    passed over, and what was cut off is undone first.
    """
    if everywhere == bool(branches):
        raise click.UsageError("name branches, or say --all")
    if by_image == (wheel is not None):
        raise click.UsageError("give --wheel FILE.whl, or say --image")
    if take_over and not by_image:
        raise click.UsageError("--take-over goes with --image: no other admin's apply holds up --wheel")
    community, desk = visit.where.opened()
    machines = visit.machines_of(community, desk, branches)
    with never_lost(desk, as_json=as_json):
        if wheel is not None:
            limit_s = patience_s or WHEEL_PATIENCE_S
            done = upgrade_in_turn(machines, wheel, wheels, patience_s=limit_s, quiet=as_json, keep_going=keep_going)
        else:
            limit_s = patience_s or IMAGE_PATIENCE_S
            work = community, desk
            done = replace_in_turn(
                work, machines, patience_s=limit_s, quiet=as_json, keep_going=keep_going, take_over=take_over
            )
    show(done, None if wheel else desk, as_json=as_json)
    done.check()


def replace_in_turn(
    work: tuple[Community, Desk],
    machines: Sequence[Machine],
    *,
    patience_s: float,
    quiet: bool,
    keep_going: bool,
    take_over: bool = False,
) -> Round[Upgraded]:
    """Replace root disks one after the other, with a line of progress for each."""
    from cli.enrolling import lines
    from provision.applying.holding import clear_away_the_dead
    from provision.errors import ProvisionError
    from provision.planning.found import found
    from provision.visit.far_side import FarSide
    from provision.visit.image_upgrade import Replacement
    from provision.visit.rolling import present_machine, require_nothing_else
    from provision.visit.rounds import in_turn, tried

    community, desk = work
    require_nothing_else(community, found(desk, community.community))
    clear_away_the_dead(desk, community.community, take_over=take_over)
    by_name = {each.name: each for each in machines}

    def moved(machine: Machine) -> Machine:
        return present_machine(found(desk, community.community), machine)

    replacement = Replacement(desk, community, FarSide(), patience_s, moved)
    with lines(list(by_name), quiet=quiet) as tell:

        def one(name: str) -> Upgraded | ProvisionError:
            done = tried(
                name,
                lambda: replacement.upgrade(name.partition(".")[2], by_name[name].there(), partial(tell, name)),
                tell,
            )
            if not isinstance(done, ProvisionError):
                tell(name, str(done))
            return done

        return in_turn(list(by_name), one, keep_going=keep_going)


def upgrade_in_turn(
    machines: Sequence[Machine], wheel: Path, wheels: Path | None, *, patience_s: float, quiet: bool, keep_going: bool
) -> Round[Upgraded]:
    """Upgrade machines one after the other, with a line of progress for each."""
    from cli.enrolling import lines
    from provision.visit.far_side import FarSide
    from provision.visit.rounds import visit_in_turn
    from provision.visit.versions import new_version

    far = FarSide(patience_s=patience_s)
    with (
        tempfile.TemporaryDirectory(prefix="gurney-upgrade-") as work,
        lines([each.name for each in machines], quiet=quiet) as tell,
    ):
        version = new_version(wheel, wheels, Path(work))
        return visit_in_turn(
            machines, lambda shell, said: _upgrade(shell, far, version, said), tell, keep_going=keep_going
        )


def _upgrade(shell: Shell, far: FarSide, version: NewVersion, tell: Callable[[str], None]) -> Upgraded:
    from provision.visit.upgrade import upgrade as upgrade_one

    done = upgrade_one(shell, far, version, tell)
    tell(str(done))
    return done


def show(done: Round[Upgraded], desk: Desk | None, *, as_json: bool) -> None:
    """Print what became of each branch, and what was made at a desk that also enrols, for people to keep."""
    if as_json:
        branches = {name: vars(each) for name, each in done.answers.items()}
        failures = {name: _failed(error) for name, error in done.failures.items()}
        left = {name: {"outcome": "not tried"} for name in done.left}
        print_json({**branches, **failures, **left, **(made_at(desk) if desk else {})})
        return
    for name, each in done.answers.items():
        click.echo(f"{name}: {each}")
    if desk is not None:
        show_made(desk, as_json=False)


def _failed(error: ProvisionError) -> dict[str, str | bool]:
    """A failure, for programs: whether the branch serves as it did, or was stopped and is not known to serve again."""
    from provision.visit.errors import Unsettled

    return {"outcome": "failed", "error": str(error), "serves_as_before": not isinstance(error, Unsettled)}
