"""The inbox of a branch: who may copy into it, whether there is room, and what becomes of what lies there."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import structlog

from appliance.accounts.roles import IMPORT, may
from appliance.errors import ApplianceError
from appliance.inbox.desk import ImportDesk
from appliance.inbox.folder import NOT_FILED, opened
from appliance.inbox.person import PersonsInbox
from appliance.inbox.settling import PATIENCE_S, QUIET_S, Settling, Stillness
from appliance.inbox.tally import Fate, Tally
from appliance.keeping.room import INBOX_CLEARED, inbox_margins
from appliance.remarks import Remarks

if TYPE_CHECKING:
    from pathlib import Path

    from appliance.audit import Audit
    from appliance.keeping.archive import Archive
    from appliance.settings import CurrentSettings

log = structlog.get_logger("appliance.inbox")

FOLDER = "inbox"
PAUSE_S = 2.0
#: What one may do in the shared folder: copy into it, or only read what is told of what lies there.
WRITE, READ = "inbox", "inbox-read"
#: Who was sent away for want of room comes in again when a little more is free than would send him away at once.
FULL, ROOM_AGAIN = 1.0, 1.25


class Inbox:
    """
    Everyone's folders, below `inbox` beside the archive; Samba shares each with its person alone.

    Parameters
    ----------
    archive, branch
        What keeps, and for whom.
    settings
        Whether there is an inbox, and who may import.
    audit
        Told who imported how many.
    quiet_s
        For how long a file must not have changed before it is taken.
    patience_s
        For how long nothing must have come before a copy is over.
    """

    def __init__(
        self,
        archive: Archive,
        branch: str,
        settings: CurrentSettings,
        audit: Audit,
        quiet_s: float = QUIET_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.folder: Path = archive.folder / FOLDER
        self._settings = settings
        self._audit = audit
        self._desk = ImportDesk(archive, branch)
        self._quiet_s, self._patience_s = quiet_s, patience_s
        self._people: dict[str, PersonsInbox] = {}
        self._remarks = Remarks(log)
        self._is_full = False
        self._is_stopping = False

    def importers(self) -> frozenset[str]:
        """Who may copy files into the inbox; nobody where the admin allows none."""
        if not self._settings.inbox():
            return frozenset()
        return frozenset(member.login for member in self._settings.staff() if may(member.role, IMPORT))

    def is_open(self) -> bool:
        """Whether more may be copied into it: it must not take the room that modalities need."""
        margins = inbox_margins(self.folder.parent)
        self._is_full = margins < (ROOM_AGAIN if self._is_full else FULL)
        self._remarks.say("inbox", *["nobody may copy more: the disk is nearly full"] * self._is_full)
        return not self._is_full

    def shares(self) -> dict[str, str]:
        """Who may open the folder in the inbox, and how; Samba is told. Nobody, while the folders cannot be made."""
        try:
            importers = self.prepare()
            return dict.fromkeys(importers, WRITE if importers and self.is_open() else READ)
        except OSError as error:  # who is dismissed must be put out all the same
            self._remarks.say("inbox folders", error.strerror or str(error))
            return {}

    def prepare(self) -> frozenset[str]:
        """Make the importers' folders; who has one."""
        importers = self.importers()
        for login in importers:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            (self.folder / login).mkdir(mode=0o700, exist_ok=True)
        return importers

    def step(self) -> None:
        """One round: take what lies there ready. What one person's folder raises is raised after the others' turn."""
        importers = self.prepare()
        self._people = {login: self._people.get(login) or self._person(login) for login in importers}
        if importers and inbox_margins(self.folder) < INBOX_CLEARED:
            self._clear()
        with ExitStack() as turns:
            for login, person in sorted(self._people.items(), reverse=True):
                turns.callback(self._step, login, person)

    def stop(self) -> None:
        """End the round after the file that is in hand; the others are taken at the next start."""
        self._is_stopping = True

    def _person(self, login: str) -> PersonsInbox:
        return PersonsInbox(
            self.folder / login, login, self._desk, Settling(self._quiet_s), Stillness(self._patience_s)
        )

    def _step(self, login: str, person: PersonsInbox) -> None:
        tally = Tally()
        try:
            person.step(tally, lambda: self._is_stopping)
        finally:
            self._record(login, tally)

    def _record(self, login: str, tally: Tally) -> None:
        """Tell the audit; where the disk has no room for it, the machine's journal keeps the line."""
        for study, instances in tally.studies.items():
            self._enter("import", login, study, {"instances": instances, "peer": FOLDER}, "done")
        if refused := tally.fates[Fate.REFUSED]:
            self._enter("import-refused", login, "", {"instances": refused, "peer": FOLDER}, "refused")
        if tally.fates or tally.studies:
            log.info("imported", who=login, **{fate.name.lower(): count for fate, count in tally.fates.items()})

    def _enter(self, action: str, login: str, subject: str, detail: dict[str, object], outcome: str) -> None:
        try:
            self._audit.record(action=action, who=login, subject=subject, detail=detail, outcome=outcome)
        except ApplianceError as error:
            log.warning("not in the audit", reason=str(error), action=action, who=login, subject=subject, **detail)

    def _clear(self) -> None:
        """Remove the files that were not filed of the oldest import of somebody who may import; its texts stay."""
        found = (each for login in self._people for each in (self.folder / login / NOT_FILED).glob("*"))
        batches = [each for each in found if each.is_dir() and not each.is_symlink()]
        any(_is_removed(batch) for batch in sorted(batches, key=lambda each: each.name))


def _is_removed(batch: Path) -> bool:
    """Remove an import's files that were not filed; false where the disk does not let them go."""
    try:
        with opened(batch.parents[1]) as folder:
            folder.remove_aside(batch.name)
    except OSError as error:
        log.warning("files that were not filed cannot be removed", batch=batch.name, reason=error.strerror or "")
        return False
    with suppress(OSError), os.fdopen(_end_of(batch.with_name(f"{batch.name}.txt")), "ab") as text:
        text.write(b"\r\nThese files were removed: the appliance's disk is nearly full.\r\n")
    log.warning("files that were not filed are removed: the disk is nearly full", batch=batch.name)
    return True


def _end_of(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
