"""XML-RPC: calls read from XML, replies written to XML.

Nothing in a call can make the reader work more than its size: document types (and with them entities) are
refused, nesting is limited.

References: http://xmlrpc.com/spec.md; xmlrpc-c's `i8`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.parsers import expat
from xml.sax.saxutils import escape

from emulator.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 64
PARSE_ERROR = -503
TYPE_ERROR = -501

SCALARS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "i4": int,
    "i8": int,
    "boolean": lambda text: bool(int(text)),
    "string": str,
    "double": float,
    "base64": str,
    "dateTime.iso8601": str,
    "nil": lambda _text: None,
}


def parse_call(body: bytes) -> tuple[str, list[Any]]:
    """Name and parameters of the call in a request's body.

    Raises
    ------
    Fault
        -503 when it is not XML or not a call.
    """
    reader = _CallReader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.texts.append
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, IndexError) as error:
        raise Fault(PARSE_ERROR, f"Call is not valid XML.  {error}") from error
    if not reader.method:
        raise Fault(PARSE_ERROR, "Call is not valid XML.  It names no method")
    return reader.method, reader.values


class _CallReader:
    """Builds values from the events of a parser; every open value or array is a list on the stack."""

    def __init__(self) -> None:
        self.method = ""
        self.values: list[Any] = []
        self._stack: list[list[Any]] = [self.values]
        self.texts: list[str] = []
        self._typed = False
        self._depth = 0

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.refuse()
        self.texts.clear()
        if tag == "value":
            self._typed = False
        elif tag in SCALARS:
            self._typed = True
        elif tag in {"array", "struct"}:
            self._stack.append([])

    def end(self, tag: str) -> None:
        self._depth -= 1
        text = "".join(self.texts)
        self.texts.clear()
        if tag in SCALARS:
            self._stack[-1].append(SCALARS[tag](text))
        elif tag == "methodName":
            self.method = text.strip()
        elif tag == "name":
            self._stack[-1].append(text)
        elif tag in {"array", "struct"}:
            made = self._stack.pop()
            self._stack[-1].append(made if tag == "array" else dict(zip(made[::2], made[1::2], strict=True)))
            self._typed = True
        elif tag == "value":
            if not self._typed:  # a value without a type is a string
                self._stack[-1].append(text)
            self._typed = True

    def refuse(self, *_arguments: object) -> None:
        raise Fault(PARSE_ERROR, "Call is not valid XML.  Document types and deep nesting are refused")


def reply(value: Any) -> bytes:
    """The body that answers with a value."""
    params = f"<params>\r\n<param>{_value(value)}</param>\r\n</params>"
    return _response(params)


def fault_reply(code: int, text: str) -> bytes:
    """The body that answers with a fault."""
    return _response(f"<fault>\r\n{_value({'faultCode': code, 'faultString': text})}\r\n</fault>")


def _response(inner: str) -> bytes:
    head = '<?xml version="1.0" encoding="UTF-8"?>\r\n<methodResponse>\r\n'
    return f"{head}{inner}\r\n</methodResponse>\r\n".encode(errors="replace")


class Long(int):
    """A number that is written as `i8`."""


def _value(value: Any) -> str:
    if isinstance(value, bool):
        inner = f"<boolean>{int(value)}</boolean>"
    elif isinstance(value, int):
        tag = "i8" if isinstance(value, Long) else "i4"
        inner = f"<{tag}>{int(value)}</{tag}>"
    elif isinstance(value, dict):
        members = "".join(f"<member><name>{name}</name>{_value(one)}</member>" for name, one in value.items())
        inner = f"<struct>{members}</struct>"
    elif isinstance(value, (list, tuple)):
        inner = f"<array><data>{''.join(map(_value, value))}</data></array>"
    else:
        inner = f"<string>{escape(str(value))}</string>"
    return f"<value>{inner}</value>"
