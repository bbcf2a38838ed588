"""Answers requests of the API: authenticate, check, run in one transaction, reply."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from emulator import rpc
from emulator.call import Call
from emulator.errors import Code, Fault, Refused
from emulator.methods import METHODS
from emulator.objects.hook_event import CallEvent
from emulator.objects.session import authenticated
from emulator.objects.zone import is_disabled as zone_is_disabled
from emulator.web import Dropped, Request, Response

if TYPE_CHECKING:
    from emulator.cloud import Cloud
    from emulator.registry import Method
    from emulator.store import Store

PATH = "/RPC2"
UNKNOWN_METHOD = -506


class _NotDone(Exception):
    """Undoes a transaction whose answer is kept."""

    def __init__(self, reply: list[Any], spent: dict[str, int]) -> None:
        super().__init__()
        self.reply, self.spent = reply, spent


class Dispatcher:
    """The API of one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._request_ids = itertools.count()

    def __call__(self, request: Request) -> Response:
        """Answer an HTTP request."""
        if self._cloud.power.front_end_is_lost():
            raise Dropped
        if request.target.partition("?")[0] not in {PATH, "/"}:
            return Response(404, b"not found")
        if request.method != "POST":
            return Response(405, b"only POST is served")
        return Response(200, self._reply(request.body), "text/xml; charset=utf-8")

    def _reply(self, body: bytes) -> bytes:
        try:
            name, values = rpc.parse_call(body)
            return rpc.reply(self.answer(name, values))
        except Fault as fault:
            return rpc.fault_reply(fault.code, fault.text)

    def answer(self, name: str, values: list[Any]) -> Any:
        """What a method answers to these parameters, the session string among them.

        Raises
        ------
        Fault
            When XML-RPC answers with a fault.
        Dropped
            When a fault that was asked for hangs up.
        """
        method = METHODS.get(name)
        if method is None:
            raise Fault(UNKNOWN_METHOD, f"Method '{name}' not defined")
        if not name.startswith("one."):
            return method.handler(self._cloud, *method.bind(values))
        if not values:
            raise Fault(rpc.TYPE_ERROR, "Not enough parameters")
        if not isinstance(values[0], str):
            raise Fault(rpc.TYPE_ERROR, "Parameter that is supposed to be string is not")
        return self._answer_after_faults(method, values[0], values[1:])

    def _answer_after_faults(self, method: Method, session: str, values: list[Any]) -> list[Any]:
        strikes = self._cloud.faults.strike(method.name.removeprefix("one."))
        delay_ms = self._cloud.settings.delay_ms + sum(int(one[:-2]) for one in strikes if one.endswith("ms"))
        if delay_ms:
            time.sleep(delay_ms / 1000)
        if "drop" in strikes:
            raise Dropped
        code = next((int(one) for one in strikes if one.isdigit()), 0)
        if code:
            return _failure(method.name, Refused(Code(code), "Fault injected"))
        answer = self._answer(method, session, values, noop="noop" in strikes)
        if "lost" in strikes:
            raise Dropped
        return answer

    def _answer(self, method: Method, session: str, values: list[Any], *, noop: bool) -> list[Any]:
        if noop:
            with self._cloud.store.lock:  # nobody else is given an id between its undoing and its being spent
                return self._done(method, session, values, noop=True)
        event = CallEvent(self._cloud, method.name, values)
        reply = self._done(method, session, values, noop=False)
        event.answered(reply)
        return reply

    def _done(self, method: Method, session: str, values: list[Any], *, noop: bool) -> list[Any]:
        store = self._cloud.store
        try:
            with store.transaction():
                reply = self._reply_of(method, session, values)
                _undo_if(noop, reply, store)
        except _NotDone as not_done:
            reply = not_done.reply
            with store.transaction():
                store.spend(not_done.spent)
        except Refused as refused:
            if refused.spends:
                with store.transaction():
                    store.next_id(refused.spends)
            reply = _failure(method.name, refused)
        return reply

    def _reply_of(self, method: Method, session: str, values: list[Any]) -> list[Any]:
        caller = authenticated(self._cloud, session)
        if not method.only_reads and zone_is_disabled(self._cloud.store):
            raise Refused(Code.INTERNAL, "Cannot process request, zone disabled")
        call = Call(self._cloud, caller, method.name, next(self._request_ids) % 10_000)
        try:
            return [True, method.answer(call, values), 0]
        except Refused as refused:
            if refused.keeps:
                return _failure(method.name, refused)
            raise


def _undo_if(noop: bool, reply: list[Any], store: Store) -> None:
    if noop:
        raise _NotDone(reply, store.counters())


def _failure(method: str, refused: Refused) -> list[Any]:
    return [False, f"[{method}] {refused.text}", int(refused.code), refused.oid, rpc.Long(-1)]
