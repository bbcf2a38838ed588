"""One appliance is put on another version: what it has is looked at, what it lacks is sent, and it is told to begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.visit.errors import NotUpgraded
from provision.visit.sending import send

if TYPE_CHECKING:
    from collections.abc import Callable

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
MIB = 1024 * 1024


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
    """
    state = far.state(shell)
    if state.running:
        raise NotUpgraded("another upgrade of this appliance is under way: wait until it has ended")
    if state.under_way:
        tell("undoes an upgrade that was cut off")
        far.settle(shell)
        state = far.state(shell)
    if state.version == version.version and state.digest in {"", version.digest}:
        return Upgraded(ALREADY, state.version, state.version)
    _check(state, version)
    stage = f"{far.programs}/stage/{version.digest[:16]}"
    send(shell, version, stage, tell)
    ended: dict[str, Any] = {}
    for told in far.install(shell, stage):
        if "step" in told:
            tell(STEPS.get(told["step"], told["step"]))
        elif told.keys() & {"outcome", "error", "said"}:
            ended |= told
    if "outcome" not in ended:
        cut_off = "it was cut off: run the same command again"
        raise NotUpgraded(ended.get("error") or "; ".join([cut_off, *filter(None, [ended.get("said")])]))
    return Upgraded(ended["outcome"], ended["before"], ended["after"])


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
