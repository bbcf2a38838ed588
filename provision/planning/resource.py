"""One thing in the cloud: what it is called, how it should be or is, and how the two differ."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache, cached_property
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.node import Node


#: Kinds of the community's own whose key is no branch's name, though one may look like it.
OF_THE_COMMUNITY = frozenset({"appliance-image", "cluster", "datastore", "host", "parent-network", "marketplace-app"})


@dataclass(frozen=True, order=True)
class Ref:
    """A resource, by what it is for; it stands in place of an id, which differs from cloud to cloud.

    `cluster`, `datastore` and `host` name things that the cloud's owner made; a kind that begins with `#` is something
    that Gurney knows only by its id.
    """

    kind: str
    key: str = ""

    @property
    def branch(self) -> str:
        """The branch that it is for; empty for the community's own. A cloud user's key is `branch.login`."""
        return "" if self.kind in OF_THE_COMMUNITY else self.key.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}".strip()


@dataclass(frozen=True)
class Resource:
    """A resource as it is declared."""

    ref: Ref
    name: str
    spec: Any

    def __str__(self) -> str:
        return f"{self.ref.kind} {self.name}"

    @cached_property
    def refs(self) -> frozenset[Ref]:
        """Every resource that the spec names, anywhere in it."""
        return frozenset(refs_in(self.spec))


@dataclass(frozen=True)
class Existing(Resource):
    """A resource as it was found; `spec` is of the same type as that of a declared one."""

    id: int = -1
    marked_key: str | None = None
    node: Node | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Change:
    """A field that is not as declared."""

    field: str
    old: Any
    new: Any


def differences(old: Any, new: Any) -> tuple[Change, ...]:
    """The fields in which two specs of a kind differ."""
    pairs = ((each.name, getattr(old, each.name), getattr(new, each.name)) for each in fields(new) if each.compare)
    return tuple(Change(name, before, after) for name, before, after in pairs if before != after)


def refs_in(value: Any) -> Iterator[Ref]:
    """Every resource that a spec names, anywhere in it."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, tuple | frozenset | list):
        for each in value:
            if type(each) not in PLAIN:
                yield from refs_in(each)
    else:
        for name in _names(value.__class__):
            if type(each := getattr(value, name)) not in PLAIN:
                yield from refs_in(each)


#: What names nothing, and is most of what specs hold.
PLAIN = frozenset({str, int, bool, float, type(None), IPv4Address})


@cache
def _names(kind: Any) -> tuple[str, ...]:
    """The fields of a dataclass; none of anything else."""
    return tuple(each.name for each in fields(kind)) if is_dataclass(kind) else ()


def places_of(text: str, value: Any, path: str = "") -> Iterator[str]:
    """Where a text stands in a spec, as in `context[3].value`; nowhere where it is not of the spec."""
    if is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from places_of(text, getattr(value, each.name), f"{path}.{each.name}".removeprefix("."))
    elif isinstance(value, tuple | frozenset | list):
        for index, each in enumerate(value):
            yield from places_of(text, each, f"{path}[{index}]")
    elif path and text and str(value) == text:
        yield path


def plain(value: Any) -> Any:
    """A value as JSON and people take it: texts, numbers, lists and objects."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, frozenset):
        return sorted((plain(each) for each in value), key=str)
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    if is_dataclass(value) and type(value).__str__ is object.__str__:
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    return str(value)
