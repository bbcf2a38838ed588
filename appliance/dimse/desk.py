"""The storage desk: what comes of a C-STORE request, from the first byte in the spool to the status in the answer."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.dimse.contexts import is_storage
from appliance.errors import ApplianceError, ArchiveFull, Unreadable
from appliance.keeping.filing import source_of
from appliance.keeping.header import is_uid
from appliance.keeping.part10 import file_meta

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from appliance.dimse.callers import Caller, NamedModality
    from appliance.dimse.tally import Tally
    from appliance.keeping.archive import Archive
    from appliance.keeping.filing import Filed
    from appliance.keeping.header import Header
    from appliance.keeping.spool import Arriving


class NotAllowed(ApplianceError):
    """The settings do not name the caller, or no longer."""


class NotSupported(ApplianceError):
    """What was agreed on for the context of the request is not storing such instances."""


class Mismatch(ApplianceError):
    """The data set is not the instance that the request announced."""


class Conflict(ApplianceError):
    """Another instance is kept under this UID; the first one stays."""


SUCCESS = 0x0000
#: 0x0110 and 0x0111, which PS3.7 Annex C has by these names, are for other services: C-STORE has Cxxx instead.
CONFLICT = 0xC111
PROCESSING_FAILURE = 0xC110

#: PS3.4 Table B.2-1 and PS3.7 9.1.1.1.9: error to the status of the answer.
STATUSES: dict[type[Exception], int] = {
    ArchiveFull: 0xA700,
    Mismatch: 0xA900,
    Unreadable: 0xC000,
    Conflict: CONFLICT,
    NotSupported: 0x0122,
    NotAllowed: 0x0124,
}


@dataclass(frozen=True)
class Request:
    """What a C-STORE request announces, and what the negotiation said of its caller and its context."""

    caller: Caller
    may_store: bool
    message_id: int
    context_id: int
    abstract_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True)
class Answer:
    """What the caller is told."""

    status: int
    comment: str = ""


class StorageDesk:
    """Where requests are taken: the archive that keeps, for the branch that issues the patient IDs."""

    def __init__(self, archive: Archive, branch: str, modalities: Callable[[], Iterable[NamedModality]]) -> None:
        self.archive = archive
        self.branch = branch
        self.modalities = modalities

    def take(self, request: Request, tally: Tally) -> Taking:
        """Begin with a request; its data set follows piece by piece."""
        return Taking(self, request, tally)

    def begin(self, request: Request) -> Arriving:
        """
        A file in the spool that begins with the request's meta information.

        Raises
        ------
        NotAllowed, NotSupported, Unreadable, ArchiveFull
            It cannot be taken.
        """
        if not (request.may_store and self._names(request.caller)):
            raise NotAllowed("the branch's settings do not name this AE title at this address")
        if not is_storage(request.sop_class_uid) or request.sop_class_uid != request.abstract_syntax_uid:
            raise NotSupported("the request's SOP class is not the one of its presentation context")
        if not (is_uid(request.sop_class_uid) and is_uid(request.sop_instance_uid)):
            raise Unreadable("the request's SOP class or instance is no UID")
        arriving = self.archive.arriving()
        arriving.write(file_meta(request.sop_class_uid, request.sop_instance_uid, request.transfer_syntax_uid))
        return arriving

    def _names(self, caller: Caller) -> bool:
        """Whether the settings, which may have changed since the negotiation, have the AE title."""
        return any(modality.ae_title == caller.ae_title for modality in self.modalities())

    def keep(self, request: Request, arriving: Arriving) -> tuple[Header, Filed]:
        """
        Keep the whole file; returns when the disk and the index have it, with what became of it.

        Raises
        ------
        Mismatch, Unreadable, Conflict, ArchiveFull
            It is not kept.
        """
        arrival = arriving.finish()
        header = arrival.header
        if (header.sop_class_uid, header.sop_instance_uid) != (request.sop_class_uid, request.sop_instance_uid):
            arrival.path.unlink()
            raise Mismatch("the data set's SOP class or instance is not the request's")
        filed = self.archive.file([arrival], issuer=self.branch, source=request.caller.ae_title)
        if filed.conflicts:
            raise Conflict(f"another image is kept under this UID, from {self._source_of(header.sop_instance_uid)}")
        return header, filed

    def _source_of(self, sop_instance_uid: str) -> str:
        with self.archive.index.session() as session:
            return source_of(session, sop_instance_uid)


class Taking:
    """One request being taken. What goes wrong is remembered, so that the rest of the data set is read and dropped."""

    def __init__(self, desk: StorageDesk, request: Request, tally: Tally) -> None:
        self.request = request
        self._desk = desk
        self._tally = tally
        self._arriving: Arriving | None = None
        self._failure: Answer | None = None
        with self._failures_remembered():
            self._arriving = desk.begin(request)

    def write(self, piece: bytes | memoryview) -> None:
        """Take the next piece of the data set."""
        if self._arriving is not None:
            with self._failures_remembered():
                self._arriving.write(piece)

    def answer(self) -> Answer:
        """What the caller is told now that the data set is whole; success only once it is kept."""
        if self._arriving is not None:
            with self._failures_remembered():
                self._tally.count(*self._desk.keep(self.request, self._arriving))
        return self._failure or Answer(SUCCESS)

    def drop(self) -> None:
        """The association ended in the middle of the data set."""
        if self._arriving is not None:
            self._arriving.discard()
            self._arriving = None

    @contextmanager
    def _failures_remembered(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a bug must not end the thread that reads: the peer gets an answer
            self.drop()
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        status = STATUSES.get(type(error), PROCESSING_FAILURE)
        self._failure = Answer(status, str(error) if isinstance(error, ApplianceError) else "")
        self._tally.refuse(self.request, status, error)
