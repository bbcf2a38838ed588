"""The reception: C-STORE requests go from the socket to the spool undecoded, and are answered where they were read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.pdu_primitives import P_DATA

from appliance.dimse.desk import Answer, Request, StorageDesk, Taking
from appliance.dimse.response import encoded_response

if TYPE_CHECKING:
    from pynetdicom.association import Association

    from appliance.dimse.tally import Tally

log = structlog.get_logger("appliance.dimse")

#: PS3.8 E.2, the message control header: a fragment of a command (else of a data set); the last fragment.
_COMMAND, _LAST = 0x01, 0x02

#: More than any command set, or data set of a message that is no C-STORE, may hold in memory.
_HEARD_LIMIT_BYTES = 1 << 20


class Reception(DIMSEServiceProvider):
    """
    pynetdicom's DIMSE provider, except for C-STORE requests.

    pynetdicom's own chunked mode writes to the temporary folder, dies of a full disk, and hands each request from
    the thread that reads the socket to another, that looks for it every millisecond. Here the thread that reads
    writes to the spool, files, and answers.
    """

    def __init__(self, association: Association, desk: StorageDesk, tally: Tally) -> None:
        super().__init__(association)
        self._desk = desk
        self.tally = tally
        self.may_store = False  # until the negotiation has told who is on the line
        self._taking: Taking | None = None
        self._heard_bytes = 0

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take what a P-DATA carries: fragments of commands and of data sets (PS3.8 E.1)."""
        for context_id, fragment in primitive.presentation_data_value_list:
            try:
                self._receive(context_id, fragment)
            except Exception as error:  # noqa: BLE001 - pynetdicom raises many kinds on a senseless command
                log.warning("senseless message", address=self.tally.caller.address, error=type(error).__name__)
                self._break_off()

    def over(self) -> None:
        """The association has ended, in whatever way."""
        if self._taking is not None:
            self._taking.drop()
        self.tally.close()

    def _receive(self, context_id: int, fragment: bytes) -> None:
        if self._taking is None:
            self._hear(context_id, fragment)
        elif fragment[0] & _COMMAND:
            self._break_off()
        else:
            self._take(self._taking, fragment)

    def _take(self, taking: Taking, fragment: bytes) -> None:
        taking.write(memoryview(fragment)[1:])
        if fragment[0] & _LAST:
            self._taking = None
            self._say(taking.request, taking.answer())

    def _hear(self, context_id: int, fragment: bytes) -> None:
        self._heard_bytes += len(fragment)
        if self._heard_bytes > _HEARD_LIMIT_BYTES:
            self._break_off()
            return
        part = P_DATA()
        part.presentation_data_value_list.append((context_id, fragment))
        super().receive_primitive(part)
        if self.message is None:
            self._heard_bytes = 0
        elif isinstance(self.message, C_STORE_RQ):
            self._begin(self.message)

    def _begin(self, message: C_STORE_RQ) -> None:
        """The command is whole and its data set follows."""
        self.message, self._heard_bytes = None, 0
        accepted = {context.context_id: context for context in self.assoc.accepted_contexts}
        context = accepted.get(message.context_id)
        command = message.command_set
        if context is None:
            self._break_off()
            return
        request = Request(
            caller=self.tally.caller,
            may_store=self.may_store,
            message_id=command.MessageID,
            context_id=int(context.context_id or 0),
            abstract_syntax_uid=str(context.abstract_syntax),
            sop_class_uid=str(command.AffectedSOPClassUID),
            sop_instance_uid=str(command.AffectedSOPInstanceUID),
            transfer_syntax_uid=str(context.transfer_syntax[0]),
        )
        self._taking = self._desk.take(request, self.tally)

    def _say(self, request: Request, answer: Answer) -> None:
        response = P_DATA()
        whole = bytes([_COMMAND | _LAST])
        response.presentation_data_value_list.append((request.context_id, whole + encoded_response(request, answer)))
        self.dul.send_pdu(response)

    def _break_off(self) -> None:
        """Abort the association as for a PDU that makes no sense (PS3.8 9.2.2, Evt19)."""
        self.message, self._heard_bytes = None, 0
        if self._taking is not None:
            self._taking.drop()
            self._taking = None
        self.dul.event_queue.put("Evt19")
