"""One appliance is put on another version: what it has is looked at, what it lacks is sent, and it is told to begin."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.visit.errors import NotServing, NotUpgraded, Unsettled
from provision.visit.sending import send
from provision.visit.shell import BROKEN, NotVisited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from provision.visit.far_side import FarSide, State
    from provision.visit.shell import Shell
    from provision.visit.versions import NewVersion

ALREADY, UPGRADED, LEFT = "already", "upgraded", "left"
#: What the program in an appliance tells, in words for an admin.
STEPS = {
    "check": "compares checksums",
    "install": "installs it beside the present one",
    "stop": "stops the service",
    "migrate": "brings the index to its tables, keeping a copy",
    "switch": "tries it, closed to everyone",
    "open": "opens it",
    "roll back": "rolls back",
}
#: Those after which the branch does not serve, until another version answers.
STOPPING = frozenset({"stop", "roll back"})
MIB = 1024 * 1024


class CutOff(NotVisited, Unsettled):
    """The line to an appliance broke while it was upgraded."""


@dataclass(frozen=True)
class Upgraded:
    """What became of one appliance: `already`, `upgraded`, or `left` with the reason; from which version to which."""

    outcome: str
    before: str
    after: str
    words: str = ""

    def __str__(self) -> str:
        """In words."""
        if self.outcome == LEFT:
            return f"left on {self.after}: {self.words}"
        return f"already {self.after}" if self.outcome == ALREADY else f"{self.before} -> {self.after}"


def upgrade(shell: Shell, far: FarSide, version: NewVersion, tell: Callable[[str], None]) -> Upgraded:
    """
    Put an appliance on a version.

    Raises
    ------
    NotUpgraded
        It serves with the version that it had; with the reason.
    NotServing
        It was stopped, and is not known to serve again.
    CutOff
        The line broke while it was at it: it goes on alone, or undoes what was begun.
    """
    state = far.state(shell)
    require_nobody_upgrades(state)
    if state.under_way:
        tell("undoes an upgrade that was cut off")
        with _touching():
            far.settle(shell)
        state = far.state(shell)
    if state.version == version.version and state.digest in {"", version.digest}:
        return Upgraded(ALREADY, state.version, state.version)
    _check(state, version)
    stage = f"{far.programs}/stage/{version.digest[:16]}"
    send(shell, version, stage, tell)
    ended: dict[str, Any] = {}
    heard: set[str] = set()
    with _touching():
        for told in far.install(shell, stage):
            if "step" in told:
                heard.add(str(told["step"]))
                tell(STEPS.get(told["step"], told["step"]))
            elif told.keys() & {"outcome", "error", "said"}:
                ended |= told
    if "outcome" not in ended:
        raise _failed(ended, heard)
    return Upgraded(ended["outcome"], ended["before"], ended["after"])


def require_nobody_upgrades(state: State) -> None:
    """Raise `NotUpgraded` where somebody is at it now: it is not touched."""
    if state.running:
        raise NotUpgraded("another upgrade of this appliance is under way: wait until it has ended")


@contextmanager
def _touching() -> Iterator[None]:
    """What goes wrong in here leaves it unknown whether the branch serves."""
    try:
        yield
    except BROKEN as error:
        raise CutOff(f"the line broke while it was upgraded: {error}: run the same command again") from error
    except NotUpgraded as error:
        raise NotServing(str(error)) from error


def _failed(ended: Mapping[str, Any], heard: AbstractSet[str]) -> NotUpgraded:
    """Why it did not come to its end; the branch serves where it was never stopped, or the version before answers."""
    cut_off = "it was cut off: run the same command again"
    words = ended.get("error") or "; ".join([cut_off, *filter(None, [ended.get("said")])])
    serves = ended.get("answers") is True or ("error" in ended and not heard & STOPPING)
    return (NotUpgraded if serves else NotServing)(words)


def _check(state: State, version: NewVersion) -> None:
    """What can be known before anything is sent."""
    if state.version == version.version:
        raise NotUpgraded(
            f"{version.version} is installed already, from another wheel: give the new one another version"
        )
    if state.schema > version.schema:
        raise NotUpgraded(
            f"{version.version} knows the index up to {version.schema}, the appliance's is at {state.schema}: "
            f"it is too old for this archive, and an index is never brought back"
        )
    if state.free < version.size:
        raise NotUpgraded(f"its disk has {state.free // MIB} MiB free, and {version.size // MIB} MiB are to be sent")
