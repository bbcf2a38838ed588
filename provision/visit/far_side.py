"""The program in an appliance that upgrades it (`appliance.upgrade`): how it is called, and what it answers."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.visit.errors import NotUpgraded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.visit.shell import Shell

UNIT = "gurney-upgrade"


@dataclass(frozen=True)
class State:
    """What serves in an appliance.

    Attributes
    ----------
    digest
        SHA-256 of the wheel that it was installed from; empty where it came with the image.
    schema
        The revision of its index.
    free
        Bytes free on the archive's disk.
    under_way
        Whether an upgrade was begun and not finished.
    running
        Whether somebody is at it now.
    knows
        The newest revision of an index that it can read; empty where it is too old to say.
    """

    version: str
    digest: str
    schema: str
    free: int
    under_way: bool
    running: bool = False
    knows: str = ""

    @property
    def reads_its_index(self) -> bool:
        """Whether it can serve what lies on the archive's disk; an upgrade that is under way sees to it itself."""
        return self.under_way or not self.knows or self.schema <= self.knows


#: What the program tells of a state, and what those that came first did not tell.
TOLD = {
    "version": str, "digest": str, "schema": str, "free": int, "under_way": bool, "running": bool, "knows": str,
}  # fmt: skip
LATER = frozenset({"running", "knows"})


@dataclass(frozen=True)
class FarSide:
    """Where the program is.

    Attributes
    ----------
    root
        The folder in which the appliance's files lie: none in a machine of its own.
    address
        Where its service answers.
    patience_s
        How long a version may take until it answers.
    """

    root: str = ""
    address: str = "127.0.0.1"
    patience_s: float = 180.0

    @property
    def programs(self) -> str:
        """The folder of versions."""
        return f"{self.root}/var/lib/gurney/programs"

    def state(self, shell: Shell) -> State:
        """What serves there."""
        told = self._last(shell, shlex.join([*self._program(), "state"]))
        told = {name: value for name, value in told.items() if name in TOLD}
        missing = [name for name in TOLD if name not in told and name not in LATER]
        wrong = [name for name, value in told.items() if type(value) is not TOLD[name]]
        if missing or wrong:
            words = f"no {', '.join(missing)}" if missing else f"no good {', '.join(wrong)}"
            raise NotUpgraded(f"the program in it that upgrades it answers what cannot be understood: {words}")
        return State(**told)

    def settle(self, shell: Shell) -> None:
        """Undo what was begun and not finished."""
        self._last(shell, shlex.join([*self._program(), "settle"]))

    def prepare(self, shell: Shell) -> None:
        """Let it take nothing in any more, until the service of the next root disk has shown that it answers."""
        self._last(shell, shlex.join([*self._program(), "prepare"]))

    def install(self, shell: Shell, folder: str) -> Iterator[dict[str, Any]]:
        """Put what lies in a folder into service; what it tells comes line by line; `said` is what others say.

        In a machine it is a unit of its own: it goes on when the line breaks, and what ends it by force is followed
        by `settle`.
        """
        program = self._program()
        command = [*program, "install", folder]
        if not self.root:
            settle = f"ExecStopPost={shlex.join([*program, 'settle'])}"
            unit = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--unit={UNIT}", "-p", settle]
            command = [*unit, *command]
        return (_object(line) or {"said": line.strip()} for line in shell.lines(shlex.join(command)) if line.strip())

    def redacting(self, command: str) -> str:
        """A command whose words come back without what names a patient; without the program that sees to it, none."""
        archive = shlex.quote(f"{self.root}/var/lib/gurney/archive")
        path = f"PATH={shlex.quote(self.root)}/usr/bin:$PATH; " if self.root else ""
        whole = command.replace("{root}", self.root)
        return f"{path}{{ {whole}; }} 2>&1 | {self._python} -I -m appliance.redaction {archive}"

    @property
    def _python(self) -> str:
        return f"{self.root}/opt/gurney/current/bin/python"

    def _program(self) -> list[str]:
        options = ["--root", self.root or "/", "--address", self.address, "--patience", f"{self.patience_s:g}"]
        return [self._python, "-I", "-m", "appliance.upgrade", *options]

    def _last(self, shell: Shell, command: str) -> dict[str, Any]:
        said = shell.run(command)
        told = [each for each in map(_object, said.out.splitlines()) if each]
        if not told or "error" in told[-1]:
            words = told[-1]["error"] if told else _last_line(said.err)
            if "No module named" in words:
                words = "its image is too old to be looked after in this way: `gurney apply` puts it on a newer one"
            raise NotUpgraded(words or f"{command} ended with {said.code}")
        return told[-1]


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _object(line: str) -> dict[str, Any]:
    """What a line tells; nothing where it is no JSON object."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
