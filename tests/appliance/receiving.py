"""A DICOM server over a real archive, in this process."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.audit import Audit
from appliance.dimse.desk import StorageDesk
from appliance.dimse.server import DicomServer
from appliance.keeping.archive import Archive, open_archive
from exchange.settings import Modality
from tests.appliance.process import free_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Reception:
    """A DICOM server over a real archive, for the branch erode; settings may change while it runs."""

    archive: Archive
    address: str
    audit: Audit
    modalities: tuple[Modality, ...] = (Modality("CT1", "10.20.1.50"),)

    def kept(self) -> list[Path]:
        return [path for path in self.archive.kept.instances.rglob("*") if path.is_file()]

    def spooled(self) -> list[Path]:
        return list(self.archive.spool.iterdir())


@contextmanager
def receiving(folder: Path) -> Iterator[Reception]:
    """One that listens, over a new archive."""
    folder.mkdir()
    archive = open_archive(folder)
    reception = Reception(archive, free_address(), Audit(archive.index))
    desk = StorageDesk(archive, "erode", lambda: reception.modalities)
    server = DicomServer("ERODE", desk, reception.audit)
    server.listen(reception.address, 11112)
    try:
        yield reception
    finally:
        server.stop()
        archive.close()
