"""The door to OpenNebula: pyone's calls, with a time limit, few connections, and errors in words."""

from __future__ import annotations

import re
from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING, Any
from xmlrpc.client import Fault, dumps

import pyone
from pyone.server_xrpc import OneServerXRPC

from provision.errors import CloudError, CloudUnreachable, NotAccepted, WrongAccess
from provision.node import Node
from provision.reply import NotXmlRpc, tree_of, values_in
from provision.wire import NoAddress, NotOpenNebula, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

#: A front end serves 15 connections at a time, and 15 idle ones block it for everybody.
CONNECTIONS = 6

#: What to do about OpenNebula's refusals, by what they say.
ADVICE = (
    (r"limit of .* reached", "raise the branch's quota in the community file"),
    (r"Not authorized", "the account that Gurney uses has to be in OpenNebula's group oneadmin"),
    (r"is locked", "somebody locked it: unlock it, or ask who did"),
    (r"already taken", "an object of that name exists already: rename it, or adopt it"),
    (r"Not enough space in datastore", "free or add space in the datastore"),
    (r"cannot access|No such file", "the file or folder has to exist on the front end and on every host"),
    (r"onegate endpoint was not defined", "this cloud has no OneGate: leave TOKEN out"),
    (r"zone disabled", "enable the zone: onezone enable"),
)


class _Server(OneServerXRPC):  # type: ignore[misc] # pyone has no types
    """pyone's server, whose answers stay trees: its bindings drop what their schemas do not know, and take long."""

    def __init__(self, endpoint: str, session: str, wire: Wire) -> None:
        super().__init__(endpoint, session)
        self._wire = wire

    def _do_request(self, method: str, params: Any) -> Any:
        try:
            values = values_in(self._wire.post(dumps(params, method).encode(errors="xmlcharrefreplace")))
        except Fault as error:
            raise pyone.OneException(str(error)) from error
        if len(values) < 3:
            raise NotXmlRpc("its answer is cut short")
        done, answer, *rest = values
        if done and isinstance(answer, str) and answer.startswith("<"):
            answer = Node(tree_of(answer))
        return [done, None if done and answer == "" else answer, *rest]


class Cloud:
    """An OpenNebula front end, as one account sees it.

    Parameters
    ----------
    endpoint
        URL of the XML-RPC API, as in http://front-end:2633/RPC2.
    auth
        `name:password` or `name:token`.
    connections
        How many calls are made at a time.
    timeout_s
        How long a call may take.

    Raises
    ------
    WrongAccess
        When the endpoint is no such URL.
    """

    def __init__(self, endpoint: str, auth: str, *, connections: int = CONNECTIONS, timeout_s: float = 60) -> None:
        try:
            wire = Wire(endpoint, connections=connections, timeout_s=timeout_s)
        except NoAddress as error:
            words = "is no address of an XML-RPC API, as in http://front-end:2633/RPC2"
            raise WrongAccess(f"{_without_login(endpoint)!r} {words}") from error
        self.endpoint = _without_login(endpoint)
        self.connections = connections
        self.calls: Counter[str] = Counter()
        self._counting = Lock()
        self._server = _Server(endpoint, auth, wire)

    def call(self, method: str, *arguments: Any) -> Any:
        """What OpenNebula answers to one call, as in `call("image.chown", 7, -1, 100)`.

        Raises
        ------
        CloudError
            Naming the call, OpenNebula's words and what to do; `CloudUnreachable` and `NotAccepted` are its children.
        """
        function: Callable[..., Any] = self._server
        for part in method.split("."):
            function = getattr(function, part)
        with self._counting:
            self.calls[method] += 1
        return self._answer(method, function, arguments)

    def read(self, method: str, *arguments: Any) -> Node:
        """The XML that OpenNebula answers to one call, as a tree."""
        answer = self.call(method, *arguments)
        if not isinstance(answer, Node):
            raise CloudUnreachable(f"one.{method}", f"{self.endpoint} answers without XML", advice=NO_API)
        return answer

    def _answer(self, method: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        try:
            return function(*arguments)
        except pyone.OneAuthenticationException as error:
            raise NotAccepted(f"one.{method}", "the front end does not accept this login", advice=LOGIN) from error
        except pyone.OneException as error:
            words = re.sub(r"^\[[\w.]+\] ", "", str(error)) or "refused without a word"
            raise CloudError(f"one.{method}", words, advice=advice_for(words)) from error
        except (NotOpenNebula, NotXmlRpc) as error:
            words = f"{self.endpoint} is no OpenNebula XML-RPC endpoint: {error}"
            raise CloudUnreachable(f"one.{method}", words, advice=NO_API) from error
        except OSError as error:
            words = f"{self.endpoint} does not answer: {_short(error)}"
            raise CloudUnreachable(f"one.{method}", words, advice="is oned running, and the address right?") from error


LOGIN = "check $ONE_AUTH or ~/.one/one_auth"
NO_API = "its address is usually http://front-end:2633/RPC2"


def advice_for(words: str) -> str:
    """What to do about a refusal; nothing where its words say enough."""
    return next((advice for pattern, advice in ADVICE if re.search(pattern, words)), "")


def _without_login(endpoint: str) -> str:
    """An address as it may be shown: what stands before an @ in it can be a password."""
    return re.sub(r"//.*@", "//", endpoint)


def _short(error: Exception) -> str:
    """A network error in the system's own words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
