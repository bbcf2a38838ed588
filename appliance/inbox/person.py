"""What one person has copied into the inbox: taken file by file once it is quiet, reported when all of it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from appliance.errors import ArchiveFull, Unreadable
from appliance.inbox.desk import START_BYTES, ImportDesk, ListOfMedium, NoImage, Refused
from appliance.inbox.folder import opened
from appliance.inbox.held import Busy, held
from appliance.inbox.listing import listed
from appliance.inbox.report import Report
from appliance.inbox.tally import Fate, Tally
from appliance.inbox.zipped import is_zip, members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from appliance.inbox.folder import PersonsFolder
    from appliance.inbox.held import Held
    from appliance.inbox.settling import Settling, Stillness
    from appliance.inbox.zipped import Member

log = structlog.get_logger("appliance.inbox")

WRITTEN_EACH_S = 5.0


class PersonsInbox:
    """
    One person's inbox, from round to round.

    Whatever a kill interrupts is taken again: a file goes only after the archive has it, and what is kept already is
    not kept twice.
    """

    def __init__(self, path: Path, login: str, desk: ImportDesk, settling: Settling, stillness: Stillness) -> None:
        self._path, self._login, self._desk = path, login, desk
        self._settling, self._stillness = settling, stillness
        self._report: Report | None = None

    def step(self, audited: Tally, is_stopping: Callable[[], bool]) -> None:
        """Take what is ready, and count what became of it.

        Raises
        ------
        ArchiveFull
            There is no room; the rest waits.
        """
        with opened(self._path) as folder:
            files, folders = folder.contents()
            ready = self._settling.look(files)
            if self._stillness.look(files, folders):
                folder.remove_empty(folders)
                self._report = None
            if ready:
                self._report = self._report or Report()
                self._take(folder, self._report, ready, audited, is_stopping)

    def _take(
        self,
        folder: PersonsFolder,
        report: Report,
        names: list[str],
        audited: Tally,
        is_stopping: Callable[[], bool],
    ) -> None:
        """Take files, and write the report now and then, so that a person sees it grow."""
        report.waits = ""
        try:
            for name in _each_so_often(names, lambda: _write(report, folder, is_over=False)):
                if is_stopping():
                    report.waits = "the appliance is started anew, and another report tells of the rest"
                    break
                self._take_one(folder, report, name, audited, is_stopping)
        except ArchiveFull:
            report.waits = "the rest waits here: there is no room on the appliance's disk"
            raise
        finally:
            self._end(folder, report)

    def _end(self, folder: PersonsFolder, report: Report) -> None:
        is_over = not folder.contents()[0]
        report.missing = [report.listed[uid] for uid in self._desk.missing(report.listed)] if is_over else []
        if report.tally.fates or report.waits:
            _write(report, folder, is_over=is_over)
        if is_over:
            folder.tidy()

    def _take_one(
        self, folder: PersonsFolder, report: Report, name: str, audited: Tally, is_stopping: Callable[[], bool]
    ) -> None:
        """Take a file; one that is being written, or that the disk does not give just now, is taken later."""
        taking = Taking(self._desk, self._login, folder, report, name)
        try:
            taking.take(is_stopping)
        except (Busy, FileNotFoundError):
            audited.add(taking.kept)
            self._settling.unsettle(name)
        except ArchiveFull:
            audited.add(taking.kept)
            raise
        except OSError as error:
            audited.add(taking.kept)
            self._settling.unsettle(name)
            log.warning("a file of the inbox cannot be taken just now", reason=error.strerror or "")
        else:
            report.tally.add(taking.tally)
            audited.add(taking.tally)


class Taking:
    """One file being taken, or the members of one that is a ZIP."""

    def __init__(self, desk: ImportDesk, login: str, folder: PersonsFolder, report: Report, name: str) -> None:
        self._desk, self._login, self._folder, self._report, self._name = desk, login, folder, report, name
        self.tally = Tally()
        self._reasons: list[tuple[str, str]] = []

    @property
    def kept(self) -> Tally:
        """What is kept of it already, where the rest of a ZIP has to wait."""
        return Tally(studies=self.tally.studies)

    def take(self, is_stopping: Callable[[], bool]) -> None:
        """Keep it and remove it, or set it aside and say why.

        Raises
        ------
        Busy
            It has changed, or the service stops in the middle of a ZIP: it is taken again.
        ArchiveFull
            There is no room.
        """
        try:
            with held(self._folder.descriptor, self._name) as file:
                self._judge(file, is_stopping)
                file.check_place()
                if self._reasons:
                    self._report.set_aside(self._folder, self._name)
                else:
                    file.remove()
        except Unreadable as error:  # it cannot be opened, as a link: nothing of it was read
            self._refuse(self._name, Fate.REFUSED, error)
            self._report.set_aside(self._folder, self._name)
        if self._reasons:
            self._tell()

    def _judge(self, file: Held, is_stopping: Callable[[], bool]) -> None:
        try:
            self._keep(file, is_stopping)
        except (Unreadable, Refused) as error:
            self._refuse(self._name, Fate.REFUSED, error)

    def _keep(self, file: Held, is_stopping: Callable[[], bool]) -> None:
        if not is_zip(file.start(START_BYTES)):
            self._keep_one(self._name, file, file)
            return
        with members(file.duplicate(), file.size) as found:
            self._desk.require_room(sum(member.size for member in found))
            for member in found:
                if is_stopping():
                    raise Busy("the service stops")
                self._keep_one(f"{self._name} > {member.name}", member, file)

    def _keep_one(
        self,
        name: str,
        source: Held | Member,
        file: Held,
    ) -> None:
        try:
            arrival = self._desk.spool(source.start(START_BYTES), source.stream(), file.check)
            self.tally.count(self._desk.keep(arrival, self._login), arrival.header.study_instance_uid)
        except NoImage as error:
            self._refuse(name, Fate.NO_IMAGE, error)
        except ListOfMedium as error:
            self._report.expect(lambda: listed(source))
            self._refuse(name, Fate.NO_IMAGE, error)
        except (Unreadable, Refused) as error:
            self._refuse(name, Fate.REFUSED, error)

    def _refuse(self, name: str, fate: Fate, error: Exception) -> None:
        self.tally.count(fate)
        self._reasons.append((name, str(error)))

    def _tell(self) -> None:
        """Say why; the file is moved already, so that it is said once, whatever becomes of the text."""
        try:
            self._report.tell(self._folder, self._reasons)
        except OSError as error:
            log.warning("why files are not filed cannot be written", reason=error.strerror or "")


def _write(report: Report, folder: PersonsFolder, *, is_over: bool) -> None:
    """Write a report where there is room for it."""
    try:
        report.write(folder, is_over=is_over)
    except OSError as error:
        log.warning("the report of an import cannot be written", reason=error.strerror or "")


def _each_so_often(names: list[str], write: Callable[[], None]) -> Iterator[str]:
    written = time.monotonic()
    for name in names:
        yield name
        if time.monotonic() - written >= WRITTEN_EACH_S:
            write()
            written = time.monotonic()
