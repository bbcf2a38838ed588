"""The requesting side of DIMSE: asks another application entity for an echo, or sends instances to it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import time by pynetdicom

from appliance.errors import ApplianceError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pynetdicom.association import Association

#: An association carries at most this many presentation contexts (PS3.8 9.3.2.2: odd numbers from 1 to 255).
CONTEXTS_MOST = 128
TIMEOUT_S = 30


@dataclass(frozen=True)
class Peer:
    """Another application entity: its AE title and where it listens; with `trust`, over TLS (PS3.15 B.12)."""

    ae_title: str
    host: str
    port: int
    trust: ssl.SSLContext | None = field(default=None, compare=False, repr=False)

    @classmethod
    def at(cls, place: str) -> Peer:
        """The peer of `AE@host:port`, as `gurney status` tells it; an IPv6 address stands in brackets."""
        ae_title, _, where = place.partition("@")
        host, _, port = where.rpartition(":")
        return cls(ae_title, host.strip("[]"), int(port))

    def __str__(self) -> str:
        """The peer as people write it."""
        return f"{self.ae_title}@{self.host}:{self.port}"


def echo(peer: Peer, calling: str) -> bool:
    """True when the peer answers C-ECHO with success (PS3.4 A.4)."""
    try:
        with _association(peer, calling, [(Verification, None)]) as association:
            status = association.send_c_echo()
    except ApplianceError:
        return False
    return bool(status) and status.Status == 0x0000


def send(files: Sequence[Path], peer: Peer, calling: str) -> Iterator[Path]:
    """Send files by C-STORE (PS3.4 B.2) over one association; each one comes back once the peer has acknowledged it.

    Raises
    ------
    ApplianceError
        When the peer cannot be reached, accepts no fitting presentation context, or refuses a file.
    """
    contexts = sorted({_context_of(file) for file in files})
    if len(contexts) > CONTEXTS_MOST:
        raise ApplianceError(f"{len(contexts)} kinds of object at once; an association carries {CONTEXTS_MOST}")
    with _association(peer, calling, contexts) as association:
        for file in files:
            _store(association, file, peer)
            yield file


def _context_of(file: Path) -> tuple[UID, UID]:
    """The SOP class and transfer syntax of a file, from its meta information."""
    meta = dcmread(file, specific_tags=["SOPClassUID"], stop_before_pixels=True).file_meta
    return UID(meta.MediaStorageSOPClassUID), UID(meta.TransferSyntaxUID)


@contextlib.contextmanager
def _association(peer: Peer, calling: str, contexts: Iterable[tuple[UID, UID | None]]) -> Iterator[Association]:
    """An association that is released at the end of the block."""
    entity = AE(ae_title=calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = TIMEOUT_S
    for abstract_syntax, transfer_syntax in contexts:
        entity.add_requested_context(abstract_syntax, *([transfer_syntax] if transfer_syntax else []))
    tls = (peer.trust, peer.host) if peer.trust is not None else None
    association = entity.associate(peer.host, peer.port, ae_title=peer.ae_title, tls_args=tls)
    if not association.is_established:
        raise ApplianceError(f"{peer} did not accept an association with {calling}")
    try:
        yield association
    finally:
        association.release()


def _store(association: Association, file: Path, peer: Peer) -> None:
    try:
        status = association.send_c_store(file)
    except ValueError as error:
        raise ApplianceError(f"{file}: {peer} takes no such object: {error}") from error
    if not status or status.Status not in {0x0000, 0xB000, 0xB006, 0xB007}:
        code = f"status {status.Status:#06x}" if status else "no answer"
        raise ApplianceError(f"{file}: {peer} did not store it: {code}")
