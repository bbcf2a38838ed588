"""OpenNebula's answers as a tree to ask: texts, numbers, ids, lists and template attributes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A template: names to texts, to vectors of texts, or to lists of both where a name stands several times.
Attributes = dict[str, Any]
WHO = ("OWNER", "GROUP", "OTHER")


@dataclass(frozen=True)
class Node:
    """One XML element of an answer."""

    element: Any

    def text(self, name: str, default: str = "") -> str:
        """The text of a child (`A/B` of a grandchild); the default where there is none."""
        found = self.element.findtext(name)
        return str(found) if found else default

    def number(self, name: str, default: int = -1) -> int:
        """The whole number that a child holds."""
        text = self.text(name).strip()
        return int(float(text)) if text else default

    def children(self, name: str) -> Iterator[Node]:
        """Every child of a name (`A/B` for grandchildren)."""
        return (Node(each) for each in self.element.iterfind(name))

    def ids(self, name: str) -> tuple[int, ...]:
        """The ids that stand in a child, as in `<VMS><ID>3</ID></VMS>`, lowest first."""
        return tuple(sorted(int(each.element.text) for each in self.children(f"{name}/ID")))

    def attributes(self, name: str = "TEMPLATE") -> Attributes:
        """The template that a child holds; read once, and not to be changed."""
        known = self._attributes
        if name not in known:
            found = self.element.find(name)
            known[name] = {} if found is None else attributes_of(found)
        return known[name]

    @cached_property
    def _attributes(self) -> dict[str, Attributes]:
        return {}

    @property
    def id(self) -> int:
        """The object's number."""
        return self.number("ID")

    @property
    def name(self) -> str:
        """The object's name."""
        return self.text("NAME")

    @property
    def mode(self) -> str:
        """The permissions as three octal digits."""
        held = self.element.find("PERMISSIONS")
        if held is None:
            return "000"
        bits = Node(held)
        return "".join(str(sum(bits.number(name, 0) * n for name, n in digit)) for digit in DIGITS)


#: Each octal digit's permissions, with what they count for.
DIGITS = tuple(tuple((f"{who}_{right}", n) for right, n in zip("UMA", (4, 2, 1), strict=True)) for who in WHO)


def attributes_of(element: Any) -> Attributes:
    """The template that an element's children make up."""
    result: Attributes = {}
    for child in element:
        value = attributes_of(child) if len(child) else (child.text or "")
        if child.tag not in result:
            result[child.tag] = value
        elif isinstance(result[child.tag], list):
            result[child.tag].append(value)
        else:
            result[child.tag] = [result[child.tag], value]
    return result


def vectors(attributes: Attributes, name: str) -> list[dict[str, str]]:
    """Every vector of a name, as in `RULE=[...] RULE=[...]`, whether it stands never, once or often."""
    found = attributes.get(name, [])
    return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict)]


def first(attributes: Attributes, name: str) -> str:
    """The text of a name; the first where it stands several times."""
    found = attributes.get(name, "")
    found = found[0] if isinstance(found, list) else found
    return found if isinstance(found, str) else ""
