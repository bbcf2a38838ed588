"""The DICOM server: associations are taken, limited and ended here."""

from __future__ import annotations

import threading
from functools import partial
from socketserver import BaseServer
from typing import TYPE_CHECKING, Any

import structlog
from pynetdicom import AE, _config, evt
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from appliance.dimse.callers import Caller, KnownAddresses, may_store
from appliance.dimse.contexts import accepted_contexts, is_storage
from appliance.dimse.reception import Reception
from appliance.dimse.tally import Recorder, Tally
from appliance.dimse.wire import MAXIMUM_PDU_BYTES, Wire, shake_hands
from appliance.door import Door, Limits, Told
from appliance.errors import ApplianceError
from appliance.peer import plain_address

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from pynetdicom.association import Association
    from pynetdicom.events import Event

    from appliance.dimse.desk import StorageDesk
    from appliance.tls import Tls

log = structlog.get_logger("appliance.dimse")

MAXIMUM_ASSOCIATIONS = 32

#: Connections, also those that have not shaken hands or asked for an association yet; and those of one address. Who
#: finds a place here and none among the associations is told so (PS3.8 9.3.4). Whom the settings do not name may say
#: C-ECHO, for which half of the associations are enough: the others are the modalities'.
LIMITS = Limits(places=2 * MAXIMUM_ASSOCIATIONS, of_one_address=16, of_strangers=MAXIMUM_ASSOCIATIONS // 2)

#: Connections that wait to be looked at; with socketserver's 5 a crowd at the port costs others a second and more.
BACKLOG = 256

#: From the connection to the association request; and in the middle of a PDU.
REQUEST_TIMEOUT_S = 10
PDU_TIMEOUT_S = 30

#: Between two messages: a scanner keeps its association while it scans on, a stranger has no reason to.
IDLE_TIMEOUT_S = 300
STRANGER_TIMEOUT_S = 15


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
        self._door = Door(LIMITS)
        self._known = KnownAddresses(desk.modalities)
        self._told = Told()

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
                server_class=self._listener(),
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

    def _listener(self) -> type[ThreadedAssociationServer]:
        server = self

        class Listener(ThreadedAssociationServer):
            request_queue_size = BACKLOG

            def verify_request(self, _request: Any, client_address: Any) -> bool:
                """Look who comes before a thread is made, and before a word of TLS is said."""
                return server.lets_in(_caller_at(client_address))

            def process_request(self, request: Any, client_address: Any) -> None:
                """Begin a thread for it; where there is none to be had, its place is free again."""
                try:
                    super().process_request(request, client_address)
                except RuntimeError:
                    server.let_out(_caller_at(client_address))
                    raise

        return Listener

    def _handler(self) -> type[RequestHandler]:
        server = self

        class Handler(RequestHandler):
            def handle(self) -> None:
                """Agree on TLS first, in this connection's own thread; who cannot is not listened to."""
                has_begun = False
                try:
                    if self._is_secured():
                        super().handle()
                        has_begun = True
                finally:
                    if not has_begun:
                        server.let_out(self.caller)

            def _is_secured(self) -> bool:
                try:
                    self.request = server.secured(self.request)
                except OSError as error:
                    server.say(self.caller, "no TLS", str(error))
                    return False
                return True

            def _create_association(self) -> Association:
                association = super()._create_association()
                server.fit_out(association, self.caller)
                return association

            @property
            def caller(self) -> Caller:
                """Who is on the line, before it has said its AE title."""
                return _caller_at(self.client_address)

        return Handler

    def lets_in(self, caller: Caller) -> bool:
        """Whether there is a place for a connection of this address, which it has until it is `let_out`."""
        if self._door.enter(caller.address, is_known=caller.address in self._known):
            return True
        self.say(caller, "turned away", "this address has all the places that one may have, or all are taken")
        return False

    def let_out(self, caller: Caller) -> None:
        """Its connection, or what became an association, has ended."""
        self._door.leave(caller.address)

    def secured(self, plain: socket.socket) -> socket.socket:
        """The connection over TLS, where this server speaks it; raises `OSError` where the caller does not."""
        return shake_hands(self._tls, plain) if self._tls is not None else plain

    def say(self, caller: Caller, event: str, reason: str) -> None:
        """Tell the log who did not come to speak, now and then."""
        if self._told.is_news(caller.address):
            log.warning(event, address=caller.address, reason=reason)

    def fit_out(self, association: Association, caller: Caller) -> None:
        """Give a new association our wire and our reception, and let it not outlive the process."""
        plain = association.dul.socket
        assert isinstance(plain, AssociationSocket)
        association.dul.socket = Wire.over(plain, PDU_TIMEOUT_S)
        association.dul._run_loop_delay = 0  # noqa: SLF001 - the wire sleeps already, and wakes for data
        association.dimse = Reception(association, self._desk, Tally(caller, self._recorder))
        association.daemon = association.dul.daemon = True
        association.run = partial(self._run, association.run, caller)  # type: ignore[method-assign]  # as the others here

    def _run(self, run: Callable[[], None], caller: Caller) -> None:
        try:
            run()
        finally:
            self.let_out(caller)

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
        reception.tally.caller, reception.may_store = caller, allowed
        if allowed:
            self._known.add(plain_address(caller.address))
        else:
            association.network_timeout = STRANGER_TIMEOUT_S
            if any(map(is_storage, proposed)) and self._told.is_news(caller.address):
                reception.tally.turned_away("the branch's settings do not name this AE title at this address")


def _caller_at(client_address: Any) -> Caller:
    return Caller("", plain_address(str(client_address[0])))


def _end(event: Any) -> None:
    event.assoc.dimse.over()
