"""The loss of a front end, played on an embedded cloud: what its appliances still do, and what a new one knows."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cli.acceptance import tried
from cli.verify import made_ready
from emulator.cloud import Cloud as EmbeddedCloud
from emulator.power import Power
from emulator.settings import Settings
from provision.errors import CloudError, CloudUnreachable
from provision.opennebula import Cloud
from provision.planning.found import found
from provision.planning.plan import plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.acceptance import Check
    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.planning.plan import Plan

#: What is tried at the appliances while there is no front end: nothing of it needs one.
MEANWHILE = (
    "answers C-ECHO",
    "asks for a login",
    "stores by C-STORE",
    "finds the study",
    "shows its picture",
    "refers to a neighbour",
)


def play_front_end(community: Community, desk: Desk, state: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Let the front end be gone, try what its appliances still do, and plan at a new one: restored, and empty.

    The new ones are embedded clouds beside the one that is played on, for the time of their plans.

    Raises
    ------
    NotReady
        When a branch is not enrolled yet.
    """
    with TemporaryDirectory(prefix="gurney-rehearsal-") as place:
        restored, empty = Path(place) / "restored", Path(place) / "empty"
        back_up(state, restored)
        silent, checks = meanwhile(community, desk, Power(state), say)
        say("the front end is back; now new ones are tried in its place")
        with new_front_end(desk, restored) as there:
            from_backup = plan(community, found(there, community.community))
        with new_front_end(desk, empty) as there:
            from_nothing = plan(community, found(there, community.community))
    return told(silent, checks, from_backup, from_nothing)


def meanwhile(community: Community, desk: Desk, power: Power, say: Callable[[str], None]) -> tuple[bool, list[Check]]:
    """What is seen while there is no front end: whether it is silent, and how the checks at its appliances went."""
    with ExitStack() as stack:
        wards = made_ready(desk, community, stack)
        with without_front_end(power):
            say("the front end is gone")
            silent = _is_silent(desk)
            checks = [tried(ward, name) for name in MEANWHILE for ward in wards]
    for check in checks:
        say(f"{check.branch} {check.name}: {'' if check.passed else 'FAILED: '}{check.words}")
    return silent, checks


def back_up(state: Path, copy: Path) -> None:
    """Copy the front end's database, as `onedb backup` does while it runs; its login is the same."""
    copy.mkdir(mode=0o700)
    source = sqlite3.connect(f"{(state / 'state.sqlite').resolve().as_uri()}?mode=ro", uri=True)
    with contextlib.closing(source), contextlib.closing(sqlite3.connect(copy / "state.sqlite")) as target:
        source.backup(target)
    login = copy / "one_auth"
    login.touch(mode=0o600)
    login.write_bytes((state / "one_auth").read_bytes())


@contextlib.contextmanager
def without_front_end(power: Power) -> Iterator[None]:
    """While the block runs, there is no front end."""
    power.lose_front_end()
    try:
        yield
    finally:
        power.restore_front_end()


@contextlib.contextmanager
def new_front_end(desk: Desk, state: Path) -> Iterator[Desk]:
    """A front end on a folder, with the same desk before it; its VMs are states alone, it runs none."""
    with EmbeddedCloud(Settings(state=state, driver="none", port=0)) as cloud:
        yield replace(desk, cloud=Cloud(cloud.endpoint, cloud.session))


def _is_silent(desk: Desk) -> bool:
    try:
        desk.cloud.read("system.version")
    except CloudUnreachable:
        return True
    except CloudError:
        return False
    return False


def told(silent: bool, checks: list[Check], from_backup: Plan, from_nothing: Plan) -> dict[str, Any]:
    """The play for programs, and in words."""
    failed = [f"{check.branch} {check.name}: {check.words}" for check in checks if not check.passed]
    works = f"{len(checks) - len(failed)} of {len(checks)} checks at the appliances passed without a front end"
    archives = sorted(step.key for step in from_nothing if (step.action, step.kind) == ("create", "archive"))
    words = (
        f"{works}{': ' if failed else ''}{'; '.join(failed)}. "
        f"A new front end from the backup of before: {_words_of(from_backup)}. "
        f"An empty one: {_words_of(from_nothing)}; the archives of {', '.join(archives) or 'nobody'} would be new and "
        "empty, with new keys, and the appliances that run would be nobody's. So apply nothing there: bring the "
        "database back, or take each archive's file in as an image (`oneimage create --path`, `gurney adopt archive`)"
    )
    return {
        "silent": silent,
        "checks": [asdict(check) for check in checks],
        "from_backup": from_backup.to_json(),
        "from_nothing": from_nothing.to_json(),
        "words": words,
    }


def _words_of(the_plan: Plan) -> str:
    """What a plan would do, counted by what it does."""
    counted = Counter(step.action for step in the_plan)
    obstacles = f"; refused: {'; '.join(the_plan.obstacles)}" if the_plan.obstacles else ""
    return (", ".join(f"{action} {number}" for action, number in counted.items()) or "nothing to do") + obstacles
