"""How a call travels: one HTTP request on a connection of its own, with a time limit, and the answer's values."""

from __future__ import annotations

import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from xml.parsers import expat
from xmlrpc.client import ProtocolError, Transport, Unmarshaller

#: A pool comes as one long text, of which each `&lt;` would otherwise be a piece of its own.
TEXT_BYTES = 1 << 20

HEADERS = {"Content-Type": "text/xml", "User-Agent": "gurney", "Connection": "close"}


class NotOpenNebula(ProtocolError):  # noqa: N818 - named for what answers
    """Something answers at the address, and it does not speak OpenNebula's XML-RPC."""


class Wire(Transport):
    """A transport for `xmlrpc.client`: 15 idle connections block a front end, so each is closed after its call.

    Parameters
    ----------
    timeout_s
        How long it may take to connect, and between two pieces of an answer.
    secure
        Whether to speak TLS; the certificate is checked against this machine's authorities.
    """

    def __init__(self, timeout_s: float, *, secure: bool) -> None:
        super().__init__()
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context() if secure else None

    def request(self, host: Any, handler: str, request_body: Any, verbose: bool = False) -> Any:  # noqa: ARG002
        """Post one call and read its answer.

        Raises
        ------
        NotOpenNebula
            When what answers is not OpenNebula.
        OSError
            When nothing answers, or not in time.
        """
        connection = self._to(host)
        try:
            connection.request("POST", handler or "/RPC2", request_body, HEADERS)
            answer = connection.getresponse()
            body = answer.read()
        except HTTPException as error:
            raise NotOpenNebula(host, 0, f"it does not speak HTTP ({type(error).__name__})", {}) from error
        finally:
            connection.close()
        if answer.status != 200:
            raise NotOpenNebula(host, answer.status, f"it answers HTTP {answer.status} {answer.reason}", {})
        return values_in(body, host)

    def _to(self, host: str) -> HTTPConnection:
        if self._tls is not None:
            return HTTPSConnection(host, timeout=self._timeout_s, context=self._tls)
        return HTTPConnection(host, timeout=self._timeout_s)


def values_in(body: bytes, host: str) -> Any:
    """The values of an XML-RPC reply; a fault is raised as `xmlrpc.client.Fault`."""
    reader = Unmarshaller()
    reader.xml("", None)  # expat hands over texts that are decoded already
    parser = expat.ParserCreate()
    parser.buffer_text, parser.buffer_size = True, TEXT_BYTES
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    try:
        parser.Parse(body, True)
        return reader.close()
    except (expat.ExpatError, IndexError, ValueError, AttributeError) as error:
        raise NotOpenNebula(host, 200, "its answer is not XML-RPC", {}) from error
