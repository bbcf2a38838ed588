"""`gurney rehearse`: what happens when something is lost, said of the cloud as it is, and played on an embedded one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.consent import consent
from cli.console import print_json, progress_console, results
from cli.desk import JSON, YES, at_desk, planned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cli.desk import Where
    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.fleet.rehearsal import Scene


@click.command()
@at_desk
@JSON
@YES
@click.option("--play", metavar="host=NAME|archive=BRANCH|front-end", help="Let it happen, on an embedded cloud alone.")
@click.option("--state", type=click.Path(path_type=Path), help="The folder of the embedded cloud to play on.")
@click.option("--patience", "patience_s", default=60.0, show_default=True, help="Seconds to wait for a restart.")
def rehearse(
    where: Where, play: str | None, state: Path | None, patience_s: float, *, as_json: bool, yes: bool,
) -> None:  # fmt: skip
    """Say what happens when a host dies, the front end is lost, or an archive is: what stops, what is lost, what helps.

    It is told from what stands in the cloud now. With --play it is done: a host loses its power and gets it back, an
    archive is deleted and made anew, empty, or the front end is gone while its appliances are tried, and new ones are
    asked for a plan. That is for an embedded cloud; of any other it is refused.
    """
    from provision.fleet.rehearsal import scenes
    from provision.planning.found import found

    community, desk = where.opened()
    told = list(scenes(found(desk, community.community)))
    if play is None:
        show(told, as_json=as_json)
        return
    event, _, name = play.partition("=")
    scene = next((each for each in told if part_of(each) == play), None)
    if scene is None:
        playable = ", ".join(part_of(each) for each in told)
        raise click.BadParameter(f"{play!r} cannot be played; these can: {playable}", param_hint="--play")
    folder = embedded(state, desk)
    if not consent(f"Let it happen ({play})?", yes=yes, as_json=as_json):
        return
    played = PLAYS[event](community, desk, name, folder, patience_s)
    if as_json:
        print_json({"said": scene.to_json(), "played": played})
    else:
        show([scene], as_json=False)
        results().print(f"Played: {played['words']}", markup=False)


def part_of(scene: Scene) -> str:
    """What `--play` calls a scene."""
    return scene.event if scene.event == "front-end" else f"{scene.event}={scene.name}"


def embedded(state: Path | None, desk: Desk) -> Path:
    """The folder of the embedded cloud that is being used; anything else is refused."""
    if state is None:
        raise click.UsageError("--play needs --state, the folder of the embedded cloud")
    try:
        told = json.loads((state / "endpoint.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        told = {}
    if told.get("endpoint") != desk.cloud.endpoint:
        raise click.UsageError(f"{desk.cloud.endpoint} is not the embedded cloud of {state}: nothing is played there")
    return state


def host(community: Community, desk: Desk, name: str, state: Path, patience_s: float) -> dict[str, Any]:
    """A host loses its power."""
    from emulator.power import Power
    from provision.fleet.rehearsal_play import play_host
    from provision.planning.found import found

    power = Power(state)
    now = found(desk, community.community)
    played = play_host(desk, now, name, (power.cut, power.restore), _say, patience_s)
    ends = "ran again by themselves" if played.back else "did not run again by themselves, and were started by hand"
    return {**played.to_json(), "words": f"after {played.seconds:.0f} s the appliances {ends}: {dict(played.hosts)}"}


def archive(community: Community, desk: Desk, name: str, _state: Path, _patience_s: float) -> dict[str, Any]:
    """An archive is lost, and made anew."""
    import time

    from provision.applying.apply import apply
    from provision.applying.holding import require_nobody_applies
    from provision.errors import Busy
    from provision.fleet.rehearsal_play import lose_archive
    from provision.planning.found import found

    try:
        require_nobody_applies(desk, community.community)
    except Busy as error:
        raise Busy(f"nothing was played: {error} with `gurney apply`") from error
    lose_archive(desk, found(desk, community.community), name)
    _say(f"the archive of {name} and its appliance are gone")
    began = time.monotonic()
    steps = apply(desk, planned(desk, community)).steps
    seconds = time.monotonic() - began
    words = f"{name} has an empty archive and an appliance again after {seconds:.0f} s ({steps} steps)"
    return {"seconds": seconds, "steps": steps, "words": words}


def front_end(community: Community, desk: Desk, _name: str, state: Path, _patience_s: float) -> dict[str, Any]:
    """The front end is lost."""
    from cli.front_end_loss import play_front_end

    return play_front_end(community, desk, state, _say)


PLAYS = {"host": host, "archive": archive, "front-end": front_end}


def _say(words: str) -> None:
    progress_console().print(words, markup=False)


def show(scenes: Iterable[Scene], *, as_json: bool) -> None:
    """Print scenes, for people or for programs."""
    if as_json:
        print_json({"scenes": [scene.to_json() for scene in scenes]})
        return
    from rich.markup import escape

    console = results()
    for scene in scenes:
        console.print(f"[bold]{escape(heading(scene))}[/bold]")
        for words in scene.course:
            console.print(f"  {words}", markup=False)
        lost = "all" if scene.rpo_s is None else "nothing" if scene.rpo_s == 0 else f"at most {duration(scene.rpo_s)}"
        back = "when people have repaired it" if scene.rto_s is None else f"after about {duration(scene.rto_s)}"
        console.print(f"  lost (RPO): {lost}; back (RTO): {back}")
        for words in scene.advice:
            console.print(f"  [cyan]Better:[/cyan] {escape(words)}")


def heading(scene: Scene) -> str:
    """What happens, in a few words."""
    return {
        "host": f"Host {scene.name} dies",
        "front-end": "The front end is lost",
        "archive": f"The archive of {scene.name} is lost",
    }[scene.event]


def duration(seconds: float) -> str:
    """A time as people say it."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
