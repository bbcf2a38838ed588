"""The DICOM server: associations are taken, limited and ended here."""

from __future__ import annotations

import threading
import time
from socketserver import BaseServer
from typing import TYPE_CHECKING, Any

import structlog
from pynetdicom import AE, _config, evt
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from appliance.dimse.callers import Caller, may_store
from appliance.dimse.contexts import accepted_contexts, is_storage
from appliance.dimse.reception import Reception
from appliance.dimse.tally import Recorder, Tally
from appliance.dimse.wire import MAXIMUM_PDU_BYTES, Wire, shake_hands
from appliance.errors import ApplianceError
from appliance.peer import plain_address

if TYPE_CHECKING:
    import socket

    from pynetdicom.association import Association
    from pynetdicom.events import Event

    from appliance.dimse.desk import StorageDesk
    from appliance.tls import Tls

log = structlog.get_logger("appliance.dimse")

MAXIMUM_ASSOCIATIONS = 32

#: Of these, the most that one address has at a time: who connects and says nothing shall not keep the others out.
PLACES_OF_ONE_ADDRESS = 16

#: From the connection to the association request; and in the middle of a PDU.
REQUEST_TIMEOUT_S = 10
PDU_TIMEOUT_S = 30

#: Between two messages: a scanner keeps its association while it scans on, a stranger has no reason to.
IDLE_TIMEOUT_S = 300
STRANGER_TIMEOUT_S = 15

#: How often the log and the audit are told of one address that is turned away, and how many are remembered.
TOLD_AGAIN_S = 60.0
TOLD_ADDRESSES = 1024


class DicomServer:
    """Listens on one address for associations with one AE title; made by `listen`.

    Parameters
    ----------
    tls
        What callers are shown (PS3.15 B.12); None for DICOM in clear.
    """

    def __init__(self, ae_title: str, desk: StorageDesk, recorder: Recorder, tls: Tls | None = None) -> None:
        self._desk = desk
        self._tls = tls
        self._recorder = recorder
        self._entity = AE(ae_title)
        self._entity.require_called_aet = True
        self._entity.maximum_associations = MAXIMUM_ASSOCIATIONS
        self._entity.maximum_pdu_size = MAXIMUM_PDU_BYTES
        self._entity.acse_timeout = REQUEST_TIMEOUT_S
        self._entity.network_timeout = IDLE_TIMEOUT_S
        self._server: ThreadedAssociationServer | None = None
        self._told: dict[str, float] = {}

    def listen(self, address: str, port: int) -> None:
        """
        Take associations from now on, in threads of their own.

        Raises
        ------
        ApplianceError
            The port is taken, or the address is not this machine's.
        """
        _config.LOG_HANDLER_LEVEL = "none"  # its text of each PDU costs more than the PDU
        try:
            self._server = self._entity.make_server(
                (address, port),
                contexts=accepted_contexts((), may_store=False),
                evt_handlers=[(evt.EVT_REQUESTED, self._decide), (evt.EVT_CONN_CLOSE, _end)],
                server_class=ThreadedAssociationServer,
                request_handler=self._handler(),
            )
        except OSError as error:
            raise ApplianceError(f"DICOM cannot listen on {address}:{port}: {error.strerror}") from error
        threading.Thread(target=self._server.serve_forever, args=(0.2,), name="dicom", daemon=True).start()

    @property
    def listening(self) -> bool:
        """Whether associations are taken."""
        return self._server is not None

    def stop(self) -> None:
        """Take no more, and abort what is going on: what is not acknowledged is sent again."""
        server, self._server = self._server, None
        if server is None:
            return
        associations = server.active_associations
        BaseServer.shutdown(server)  # pynetdicom's own also takes it from a list that only start_server fills
        for association in associations:
            if association.is_established:
                association.abort(block=False)
        server.server_close()

    def _handler(self) -> type[RequestHandler]:
        server = self

        class Handler(RequestHandler):
            def handle(self) -> None:
                """Agree on TLS first, in this connection's own thread; who cannot is not listened to."""
                try:
                    self.request = server.secured(self.request)
                except OSError as error:
                    server.say(self.caller, "no TLS", str(error))
                    return
                if server.has_place_for(self.caller):
                    super().handle()
                else:
                    server.say(self.caller, "turned away", "this address has all the places that one may have")
                    self.request.close()

            def _create_association(self) -> Association:
                association = super()._create_association()
                server.fit_out(association, self.caller)
                return association

            @property
            def caller(self) -> Caller:
                """Who is on the line, before it has said its AE title."""
                return Caller("", plain_address(str(self.client_address[0])))

        return Handler

    def has_place_for(self, caller: Caller) -> bool:
        """Whether its address has fewer associations than one may have."""
        active = self._server.active_associations if self._server is not None else ()
        same = [one for one in active if plain_address(str(one.requestor.address)) == caller.address]
        return len(same) < PLACES_OF_ONE_ADDRESS

    def secured(self, plain: socket.socket) -> socket.socket:
        """The connection over TLS, where this server speaks it; raises `OSError` where the caller does not."""
        return shake_hands(self._tls, plain) if self._tls is not None else plain

    def say(self, caller: Caller, event: str, reason: str) -> None:
        """Tell the log who did not come to speak, now and then."""
        if self._is_news(caller):
            log.warning(event, address=caller.address, reason=reason)

    def fit_out(self, association: Association, caller: Caller) -> None:
        """Give a new association our wire and our reception, and let it not outlive the process."""
        plain = association.dul.socket
        assert isinstance(plain, AssociationSocket)
        association.dul.socket = Wire.over(plain, PDU_TIMEOUT_S)
        association.dul._run_loop_delay = 0  # noqa: SLF001 - the wire sleeps already, and wakes for data
        association.dimse = Reception(association, self._desk, Tally(caller, self._recorder))
        association.daemon = association.dul.daemon = True

    def _decide(self, event: Event) -> None:
        """Before the negotiation: accept Storage only where the caller may store."""
        association, request = event.assoc, event.assoc.requestor.primitive
        reception = association.dimse
        assert request is not None
        assert isinstance(reception, Reception)
        proposed = [str(c.abstract_syntax) for c in request.presentation_context_definition_list]
        caller = Caller(str(request.calling_ae_title).strip(), association.requestor.address)
        allowed = may_store(caller, self._desk.modalities())
        association.acceptor.supported_contexts = accepted_contexts(proposed, may_store=allowed)
        reception.tally.caller = caller
        if not allowed:
            association.network_timeout = STRANGER_TIMEOUT_S
            if any(map(is_storage, proposed)) and self._is_news(caller):
                reception.tally.turned_away("the branch's settings do not name this AE title at this address")

    def _is_news(self, caller: Caller) -> bool:
        """Whether this address was turned away longer than a minute ago: knocking must not fill the disk."""
        now = time.monotonic()
        if now - self._told.get(caller.address, -TOLD_AGAIN_S) < TOLD_AGAIN_S:
            return False
        if len(self._told) >= TOLD_ADDRESSES:
            self._told.clear()
        self._told[caller.address] = now
        return True


def _end(event: Any) -> None:
    event.assoc.dimse.over()
