"""Templates: what users say of an object, as attributes with plain or vector values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from emulator.errors import Code, Refused
from emulator.template_text import attribute_name, parse_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emulator.record import Body

MAX_DEPTH = 64


def parse(source: str) -> Body:
    """Attributes of a template in text or XML form: name to list of values.

    Raises
    ------
    Refused
        With OpenNebula's words for the mistake.
    """
    return parse_xml(source) if source.lstrip().startswith("<") else parse_text(source)


def parse_xml(source: str) -> Body:
    """Attributes of a template in XML form, whatever its root is called.

    Raises
    ------
    Refused
        When it is not well-formed. A document type is refused: it could define entities.
    """
    reader = _XmlReader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(source.encode(), True)
    except expat.ExpatError as error:
        raise Refused(Code.INTERNAL, "Parse error: XML Template malformed.") from error
    return reader.attributes


class _XmlReader:
    """Collects attributes from the events of a parser: a second level is a vector, a third is dropped."""

    def __init__(self) -> None:
        self.attributes: Body = {}
        self._path: list[str] = []
        self._texts: list[str] = []
        self._vector: dict[str, str] = {}
        self._nested = False

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        self._path.append(tag)
        self._texts = []
        if len(self._path) > MAX_DEPTH:
            raise Refused(Code.INTERNAL, "Parse error: XML Template malformed.")
        if len(self._path) == 2:
            self._vector, self._nested = {}, False

    def characters(self, data: str) -> None:
        self._texts.append(data)

    def end(self, tag: str) -> None:
        level, value = len(self._path), "".join(self._texts)
        self._path.pop()
        self._texts = []
        if level > 3:
            self._nested = True
        elif level == 3 and not self._nested and value:
            self._vector.setdefault(tag, value)
        elif level == 2 and (self._vector or (value.strip() and not self._nested)):
            self.attributes.setdefault(attribute_name(tag), []).append(self._vector or value)

    def refuse(self, *_arguments: object) -> None:
        raise Refused(Code.INTERNAL, "Parse error: XML Template malformed.")


def merged(old: Body, new: Body) -> Body:
    """The old attributes, with all of a name replaced by the new ones of that name."""
    return {**old, **new}


def take(template: Body, name: str) -> str:
    """First plain value of an attribute, which is removed; "" where there is none."""
    values = template.pop(name, [])
    return next((value for value in values if isinstance(value, str)), "")


def first(template: Body, name: str) -> str:
    """First plain value of an attribute; "" where there is none."""
    return next((value for value in template.get(name, []) if isinstance(value, str)), "")


def vectors(template: Body, name: str) -> list[dict[str, str]]:
    """Vector values of an attribute; the very ones in the template."""
    return [value for value in template.get(name, []) if isinstance(value, dict)]


def is_yes(value: str | None) -> bool:
    """Whether a template says yes."""
    return (value or "").upper() in {"YES", "TRUE", "1"}


def whole(value: str | None, default: int = -1) -> int:
    """A whole number as C++ reads it from a stream: leading digits count, none gives the default."""
    digits = (value or "").strip()
    end = 1 if digits[:1] in {"-", "+"} else 0
    while end < len(digits) and digits[end].isdigit():
        end += 1
    return int(digits[:end]) if end and digits[end - 1].isdigit() else default


def restricted(template: Body, names: Iterable[str]) -> str:
    """The first attribute in the template that only an administrator may set; "" where there is none."""
    for path in names:
        name, _, key = path.partition("/")
        for value in template.get(name, []):
            if not key or (isinstance(value, dict) and key in value):
                return key or name
    return ""


def copied(template: Body) -> Body:
    """A copy that shares nothing that can be changed."""
    return {name: _copied(value) for name, value in template.items()}


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied(one) for one in value]
    if isinstance(value, dict):
        return type(value)((name, _copied(one)) for name, one in value.items())
    return value
