"""The import desk: a file's bytes become a kept instance, by the rules that hold for what a modality sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.dimse.contexts import is_storage
from appliance.errors import ApplianceError, Unreadable
from appliance.inbox.tally import Fate
from appliance.keeping.filing import kept_of
from appliance.keeping.room import INBOX_CLEARED, inbox_margins
from converter.dicom.part10 import begins_as_dicom
from converter.dicom.whole import check_whole
from converter.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from appliance.keeping.archive import Archive
    from appliance.keeping.filing import Filed
    from appliance.keeping.spool import Arrival

#: PS3.10 7.1: before the prefix, for whatever an application likes; some write a program there.
PREAMBLE_BYTES = 128
#: PS3.10 7.1 and 8.6: (0002,0002) of a file that lists what is on a medium.
_OF_A_MEDIUM = b"\x02\x00\x02\x00UI\x14\x001.2.840.10008.1.3.10"
#: As many as tell whether it may be DICOM.
START_BYTES = 4096


class ListOfMedium(ApplianceError):
    """A DICOMDIR: it is nothing for the archive, and says what there should be."""


class NoImage(ApplianceError):
    """A file that is nothing for the archive, such as a CD's viewer."""


class Refused(ApplianceError):
    """A DICOM instance that is not kept, and why."""


class ImportDesk:
    """Where files are taken: the archive that keeps, for the branch that issues the patient IDs."""

    def __init__(self, archive: Archive, branch: str) -> None:
        self._archive = archive
        self._branch = branch

    def require_room(self, size: int) -> None:
        """See that so many bytes more leave what modalities need, before the first of them is written.

        Raises
        ------
        Refused
            They do not: what would wait here instead, nobody could take away while the disk is full.
        """
        if inbox_margins(self._archive.folder, size) < INBOX_CLEARED:
            raise Refused("there is no room on the appliance's disk for all of it at once: unpack it, copy it in parts")

    def spool(self, start: bytes, pieces: Iterator[bytes], check: Callable[[], None]) -> Arrival:
        """
        Copy a file into the spool and look whether it is a whole instance; what it began with is nulled.

        Parameters
        ----------
        start
            The first bytes, as many as there are up to `START_BYTES`.
        pieces
            All bytes.
        check
            Called at the end; raises where what was read is not what lies there now.

        Raises
        ------
        NoImage, ListOfMedium, Refused
            It cannot be kept.
        ArchiveFull
            There is no room.
        """
        if not begins_as_dicom(start):
            raise NoImage("this is no DICOM file")
        if _OF_A_MEDIUM in start:
            raise ListOfMedium("this is the list of what is on a CD, and no image")
        with self._archive.arriving() as arriving:
            for piece in _without_preamble(pieces) if start[PREAMBLE_BYTES:].startswith(b"DICM") else pieces:
                arriving.write(piece)
            try:
                arrival = arriving.finish()
            except Unreadable as error:
                raise Refused(str(error)) from error
        try:
            check()
            _judge(arrival)
        except BaseException:
            arrival.path.unlink()
            raise
        return arrival

    def keep(self, arrival: Arrival, login: str) -> Fate:
        """
        Keep a spooled file; returns when the disk and the index have it.

        Raises
        ------
        Refused
            Another data set is kept under its UID.
        ArchiveFull
            There is no room.
        """
        filed = self._archive.file([arrival], issuer=self._branch, source=f"inbox:{login}")
        if filed.conflicts:
            raise Refused(
                "another image is kept under the same SOP Instance UID: that one stays, this one was set aside"
            )
        return _fate(filed)

    def missing(self, uids: Collection[str]) -> list[str]:
        """Those of these SOP Instance UIDs that the archive does not have."""
        with self._archive.index.session() as session:
            kept = kept_of(session, uids)
        return [uid for uid in uids if uid not in kept]


def _fate(filed: Filed) -> Fate:
    if filed.elsewhere:
        return Fate.ELSEWHERE
    return Fate.NEW if filed.new else Fate.AGAIN


def _judge(arrival: Arrival) -> None:
    if not is_storage(arrival.header.sop_class_uid):
        raise Refused("this is DICOM, but no image or document of a patient")
    try:
        check_whole(arrival.path)
    except ConversionError as error:
        raise Refused(f"not a whole DICOM file: {error.reason}") from error


def _without_preamble(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same with zeros for the preamble, whose bytes could make it a program as well."""
    passed = 0
    for piece in pieces:
        nulled = min(max(PREAMBLE_BYTES - passed, 0), len(piece))
        yield bytes(nulled) + piece[nulled:]
        passed += len(piece)
