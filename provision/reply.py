"""The values that an answer of XML-RPC holds, and the tree that one of them is.

`xmlrpc.client` takes an answer apart; its own parser hands each line of a pool's text over by itself, of which all
are put together here first.

References: http://xmlrpc.com/spec.md; xmlrpc-c's `i8`.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET
from xml.parsers import expat
from xmlrpc.client import ResponseError, Unmarshaller

NO_ANSWER = "its answer is not XML-RPC"
#: A pool comes as one long text, of which each `&lt;` would otherwise be a piece of its own.
TEXT_BYTES = 1 << 20


class NotXmlRpc(ValueError):
    """What came is no answer of XML-RPC."""


def values_in(body: bytes) -> list[Any]:
    """The value of an answer, which is OpenNebula's array.

    Raises
    ------
    xmlrpc.client.Fault
        When the answer is one.
    NotXmlRpc
        When it is none.
    """
    reader = Unmarshaller()
    reader.xml("", None)  # expat hands over texts that are decoded already
    parser = expat.ParserCreate()
    parser.buffer_text, parser.buffer_size = True, TEXT_BYTES
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    try:
        parser.Parse(body, True)
        (values,) = reader.close()
    except (expat.ExpatError, ResponseError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise NotXmlRpc(NO_ANSWER) from error
    if not isinstance(values, list):
        raise NotXmlRpc(NO_ANSWER)
    return values


def tree_of(text: str | bytes) -> ET.Element:
    """The tree of an XML text.

    Raises
    ------
    NotXmlRpc
        When it is none.
    """
    try:
        return ET.fromstring(text)  # noqa: S314 - expat bounds entities since 2.4.1
    except (ET.ParseError, ValueError) as error:
        raise NotXmlRpc(NO_ANSWER) from error
