"""The XML documents that OpenNebula answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from emulator.record import Body

# Attributes that users write are kept as OpenNebula keeps them: in a map, sorted by name.
SORTED = frozenset({"TEMPLATE", "USER_TEMPLATE", "BACKUP_CONFIG"})


class InOrder(dict[str, Any]):
    """Children that are shown in their own order, whatever their parent is called."""


def element(tag: str, value: Any, *, ordered: bool = True) -> str:
    """An element, or several of the same tag where the value is a list.

    Numbers stand bare and texts in CDATA, as OpenNebula writes them.
    """
    if isinstance(value, dict):
        in_order = ordered and (tag not in SORTED or isinstance(value, InOrder))
        return f"<{tag}>{elements(value, ordered=in_order)}</{tag}>"
    if isinstance(value, list):
        return "".join([element(tag, one, ordered=ordered) for one in value])
    return f"<{tag}>{text(value)}</{tag}>"


def elements(body: Body, *, ordered: bool = True) -> str:
    """The children of an element."""
    parts = []
    for name in body if ordered else sorted(body):
        value = body[name]
        if type(value) is int:  # most are; half the time of a pool was spent on asking what they are
            parts.append(f"<{name}>{value}</{name}>")
        else:
            parts.append(element(name, value, ordered=ordered))
    return "".join(parts)


def text(value: str | float) -> str:
    """Character data."""
    if isinstance(value, str):
        return (escape(value) if "]]>" in value else f"<![CDATA[{value}]]>") if value else ""
    return str(value)


def ids(numbers: list[int]) -> Body:
    """A list of ids as it stands in a document."""
    return {"ID": sorted(numbers)} if numbers else {}
