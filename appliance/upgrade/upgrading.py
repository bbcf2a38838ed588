"""An upgrade, step by step: each can be cut off anywhere, and is then undone by the next run or the next boot."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.boot.machine import Trouble
from appliance.upgrade.environment import make_environment
from appliance.upgrade.index import as_owner, ask
from appliance.upgrade.journal import Journal, begin, begun, finish
from appliance.upgrade.replacement import disk_of
from appliance.upgrade.stage import read_stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from appliance.upgrade.programs import Programs
    from appliance.upgrade.release import Release
    from appliance.upgrade.running import Service
    from appliance.upgrade.stage import Stage

#: The steps, as they are told.
CHECK, INSTALL, STOP, MIGRATE, SWITCH, OPEN = "check", "install", "stop", "migrate", "switch", "open"
UNDO = "roll back"
ALREADY, UPGRADED = "already", "upgraded"
#: The version before has served here: it is given the time that a slow machine needs.
BACK_S = 180.0


class RolledBack(Trouble):
    """The version before is in service again; `answers` says whether it does."""

    def __init__(self, words: str, *, answers: bool) -> None:
        super().__init__(words)
        self.answers = answers


@dataclass(frozen=True)
class Outcome:
    """What became of an upgrade that did not fail."""

    outcome: str
    before: str
    after: str


@dataclass(frozen=True)
class Upgrading:
    """An upgrade of one machine.

    Attributes
    ----------
    tell
        Is told each step when it begins.
    """

    programs: Programs
    service: Service
    tell: Callable[[str], None]

    def install(self, folder: Path) -> Outcome:
        """
        Put what an admin has sent into service.

        Raises
        ------
        Trouble
            It was not done; what served before serves.
        RolledBack
            It was begun, and undone.
        """
        with self.programs.alone():
            self.settle()
            self.tell(CHECK)
            stage = read_stage(folder)
            before = self.programs.current()
            if before.version == stage.version:
                outcome = _already(before, stage)
            else:
                schema = ask(self.programs.archive, "revision")
                refuse_older(stage, schema)
                outcome = self._replace(stage, before, schema)
            shutil.rmtree(self.programs.stages, ignore_errors=True)
            return outcome

    def settle(self) -> bool:
        """Undo what was begun and cut off, and remove what is half made; True where there was something to undo."""
        journal = begun(self.programs.journal)
        if journal is not None and journal.disk not in {"", disk_of(self.service.machine)}:
            raise Trouble("its root disk was replaced, and its service has not opened yet")
        if journal is not None:
            self.undo(journal)
        self.programs.sweep(self.programs.current().place)
        return journal is not None

    def undo(self, journal: Journal) -> None:
        """Put the version before into service again, with the index that it knows."""
        self.tell(UNDO)
        self.service.stop()
        ask(self.programs.archive, "restore", journal.schema)
        self.programs.choose(journal.place)
        finish(self.programs.journal)
        self.service.start()

    def _replace(self, stage: Stage, before: Release, schema: str) -> Outcome:
        self.tell(INSTALL)
        after = make_environment(self.programs, stage, before)
        self._try(stage, after, Journal(before.place, schema))
        self.tell(OPEN)
        try:
            self.service.wait_until_it_answers(opened=True)
        except Trouble as error:
            self._close_again(stage, Journal(before.place, schema), error)
        self.programs.sweep(after.place)
        return Outcome(UPGRADED, before.version, after.version)

    def _try(self, stage: Stage, after: Release, journal: Journal) -> None:
        """Let the new version serve nobody but us, until it has shown that it can."""
        begin(self.programs.journal, journal)
        try:
            self.tell(STOP)
            self.service.stop()
            if journal.schema and stage.schema != journal.schema:
                self.tell(MIGRATE)
                migrate(self.programs, after)
            self.tell(SWITCH)
            self.programs.choose(after.place)
            self.service.start()
            self.service.wait_until_it_answers()
        except (Trouble, OSError) as error:
            self._roll_back(journal, f"{after.version}: {error}")
        finish(self.programs.journal)  # from here on it is open, and nothing takes the index back

    def _close_again(self, stage: Stage, journal: Journal, error: Trouble) -> None:
        """An open service that falls silent: what it has acknowledged stands in an index that the old one must read."""
        if stage.schema != journal.schema:
            raise Trouble(
                f"{stage.version} has answered and fell silent: {error}: it is not rolled back, since images "
                f"may have arrived in its new index: see `gurney appliance logs`"
            ) from error
        begin(self.programs.journal, journal)
        self._roll_back(journal, f"{stage.version}: {error}")

    def _roll_back(self, journal: Journal, reason: str) -> None:
        self.undo(journal)
        before = self.programs.current()
        self.programs.sweep(before.place)
        try:
            self.service.wait_until_it_answers(opened=True, at_least_s=BACK_S)
        except Trouble as error:
            words = f"{reason}: rolled back to {before.version}, which does not answer either: {error}"
            raise RolledBack(words, answers=False) from None
        raise RolledBack(f"{reason}: rolled back to {before.version}, which answers", answers=True)


def migrate(programs: Programs, after: Release) -> None:
    """
    Bring the index to the tables of a version, which keeps a copy of it as it was.

    Raises
    ------
    Trouble
        It could not be done; the index is as it was.
    """
    python = str(programs.environment(after) / "bin" / "python")
    as_owner(
        programs.archive, [python, "-I", "-m", "appliance.index.migrations", str(programs.archive / "index.sqlite")]
    )


def refuse_older(stage: Stage, schema: str) -> None:
    """
    Refuse a version that cannot read the index.

    Raises
    ------
    Trouble
        It is older than the index.
    """
    if schema > stage.schema:
        raise Trouble(
            f"{stage.version} knows the index up to {stage.schema or 'none'}, this appliance's is at {schema}: "
            f"it is too old for this archive, and an index is never brought back"
        )


def _already(before: Release, stage: Stage) -> Outcome:
    if before.digest not in {"", stage.digest}:
        raise Trouble(f"{before.version} is installed already, from other files: give the new ones another version")
    return Outcome(ALREADY, before.version, before.version)
