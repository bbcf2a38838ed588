"""The XML documents that OpenNebula answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.record import Body

# Attributes that users write are kept as OpenNebula keeps them: in a map, sorted by name.
SORTED = frozenset({"TEMPLATE", "USER_TEMPLATE", "BACKUP_CONFIG"})


class InOrder(dict[str, Any]):
    """Children that are shown in their own order, whatever their parent is called."""


def element(tag: str, value: Any, *, ordered: bool = True) -> str:
    """An element, or several of the same tag where the value is a list.

    Numbers stand bare and texts in CDATA, as OpenNebula writes them.
    """
    parts: list[str] = []
    _write(parts.append, tag, value, ordered=ordered)
    return "".join(parts)


def elements(body: Body, *, ordered: bool = True) -> str:
    """The children of an element."""
    parts: list[str] = []
    for name in body if ordered else sorted(body):
        _write(parts.append, name, body[name], ordered=ordered)
    return "".join(parts)


def _write(put: Callable[[str], None], tag: str, value: Any, *, ordered: bool) -> None:
    if isinstance(value, list):
        for one in value:
            _write(put, tag, one, ordered=ordered)
    elif isinstance(value, dict):
        in_order = ordered and (tag not in SORTED or isinstance(value, InOrder))
        put(f"<{tag}>")
        for name in value if in_order else sorted(value):
            _write(put, name, value[name], ordered=in_order)
        put(f"</{tag}>")
    else:
        put(f"<{tag}>{text(value)}</{tag}>")


def text(value: str | float) -> str:
    """Character data."""
    if isinstance(value, str):
        return (escape(value) if "]]>" in value else f"<![CDATA[{value}]]>") if value else ""
    return str(value)


def ids(numbers: list[int]) -> Body:
    """A list of ids as it stands in a document."""
    return {"ID": sorted(numbers)} if numbers else {}
