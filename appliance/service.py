"""The appliance service: everything is opened, started and stopped here, in order."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import structlog

from appliance.context import Context, read_context
from appliance.dimse.desk import StorageDesk
from appliance.dimse.server import DicomServer
from appliance.health import Health
from appliance.index.queries import pending_renditions
from appliance.keeping.archive import Archive, open_archive
from appliance.people import HttpPlace, People
from appliance.pictures.rendering import Rendering
from appliance.time_zone import live_in
from appliance.web.app import web_app
from appliance.web_server import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import FrameType

log = structlog.get_logger("appliance.service")

DICOM_PORT = 11112  # IANA: dicom without TLS, for those who may not use 104
DICOM_TLS_PORT = 2762  # IANA: dicom-tls
HTTP_PORT = 8080
HTTPS_PORT = 8443
LOOPBACK = "127.0.0.1"
CLOSED_POLL_S = 0.2


@dataclass(frozen=True)
class Places:
    """Where the service finds and puts everything: directories, and where it listens.

    Attributes
    ----------
    closed_while
        As long as this file is there, an upgrade has not judged this version yet: the service answers on loopback,
        and takes up nothing that would be lost with its index.
    """

    context: Path
    archive: Path
    mounts: Mapping[str, Path]
    address: str
    dicom_port: int = DICOM_PORT
    http_port: int = HTTP_PORT
    closed_while: Path | None = None
    dicom_tls_port: int = DICOM_TLS_PORT
    https_port: int = HTTPS_PORT

    @property
    def http(self) -> HttpPlace:
        """Where the pages are served."""
        return HttpPlace(self.address, self.http_port, self.https_port)


def run(places: Places) -> None:
    """
    Run the appliance until SIGTERM or SIGINT.

    Raises
    ------
    ApplianceError
        It cannot start: the context, the archive or a port cannot be used. The message says what to do.
    """
    quieten_libraries()
    context = read_context(places.context, places.mounts)
    live_in(context.time_zone)
    with ExitStack() as opened:
        stop = opened.enter_context(_told_to_stop())
        archive = open_archive(places.archive)
        opened.callback(archive.close)
        _stay_closed(places, context, archive, stop)
        if not stop.is_set():
            _start(opened, places, context, archive)
            log.info(
                "serving", branch=context.branch, address=places.address, dicom=places.dicom_port, http=places.http_port
            )
        stop.wait()
        log.info("stopping")
    log.info("stopped")


def quieten_libraries() -> None:
    """Keep pydicom from telling the log what stands in data sets, and the servers from telling every message."""
    warnings.filterwarnings("ignore", module="pydicom")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    logging.getLogger("pynetdicom").setLevel(logging.ERROR)
    for chatty in ("alembic", "httpx", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _stay_closed(places: Places, context: Context, archive: Archive, stop: threading.Event) -> None:
    """Answer whoever judges this version, from the machine itself alone, until it is judged."""
    if places.closed_while is None or not places.closed_while.exists():
        return
    loopback = places.address if ip_address(places.address).is_loopback else LOOPBACK
    with ExitStack() as opened:
        _start(opened, replace(places, address=loopback), context, archive, closed=True)
        log.info("closed", until=str(places.closed_while))
        while places.closed_while.exists() and not stop.wait(CLOSED_POLL_S):
            pass


def _start(opened: ExitStack, places: Places, context: Context, archive: Archive, *, closed: bool = False) -> None:
    """Start in the order in which things need each other; what is started is stopped in the reverse one."""
    dicom: list[DicomServer] = []

    def health() -> Health:
        with archive.index.session() as session:
            return Health(any(server.listening for server in dicom), pending_renditions(session), closed)

    people = People(context, archive, archive.index, health, http=places.http)
    people.prepare()
    rendering = Rendering(archive)
    app = web_app(people)
    web = [WebServer(app, places.address, places.http_port)]
    desk = StorageDesk(archive, context.branch, people.settings.modalities)
    dicom.append(DicomServer(context.ae_title, desk, people.audit))
    dicom[0].listen(places.address, places.dicom_port)
    opened.callback(dicom[0].stop)
    if not closed:
        rendering.start()
        opened.callback(rendering.stop)
        web.append(WebServer(app, places.address, places.https_port, people.tls.front()))
        secure = DicomServer(context.ae_title, desk, people.audit, people.tls)
        secure.listen(places.address, places.dicom_tls_port)
        opened.callback(secure.stop)
    for server in web:
        server.start()
        opened.callback(server.stop)
    if closed:
        return
    people.start()
    opened.callback(people.stop, 2.0)


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set."""
    told = threading.Event()

    def tell(_number: int, _frame: FrameType | None) -> None:
        told.set()

    before = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
