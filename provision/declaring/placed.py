"""YAML read with the place of every value, so that a mistake can be shown where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from provision.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

Path = tuple[str | int, ...]

#: A community is six levels deep; aliases can make a file endless.
DEEPEST, MOST = 20, 200_000

#: YAML 1.1 reads `no` as false, 10:20 as 620 and dates as times; a branch may be called `no`.
PLAIN_TAGS = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int"}


class _Loader(yaml.SafeLoader):
    """Plain scalars as YAML 1.2 reads them."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in PLAIN_TAGS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))


@dataclass
class Placed:
    """The values of a YAML text, where each stands, and what was already wrong while reading it."""

    value: Any = None
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column, from 1, of a value or of the nearest thing around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))

    def problem(self, path: Path, words: str) -> Problem:
        """A problem at the place of a value."""
        return Problem(*self.place(path), written(path), words)


def written(path: Path) -> str:
    """A path as people write it: branches.erode.modalities[0].host."""
    parts = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return parts.removeprefix(".")


def placed(text: str) -> Placed:
    """The values of a YAML text with their places; mistakes of YAML itself stand in `problems`."""
    result = Placed()
    try:
        _read(text, result)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        result.problems.append(Problem(*place, "", f"this is not YAML: {error.problem or error.context}"))
    except (yaml.YAMLError, RecursionError) as error:
        result.problems.append(Problem(1, 1, "", f"this is not YAML: {error}"))
    return result


def _read(text: str, result: Placed) -> None:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            result.value = _value(loader, node, (), result)
    finally:
        loader.dispose()


def _value(loader: _Loader, node: yaml.Node, path: Path, result: Placed) -> Any:
    if len(path) > DEEPEST or len(result.places) > MOST:
        raise yaml.YAMLError("it is nested too deeply, or refers to itself")
    result.places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, path, result)
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, child, (*path, index), result) for index, child in enumerate(node.value)]
    return loader.construct_object(node)


def _mapping(loader: _Loader, node: yaml.MappingNode, path: Path, result: Placed) -> dict[Hashable, Any]:
    values: dict[Hashable, Any] = {}
    first: dict[str, int] = {}
    for key, line, column, child in _entries(node):
        if key in first:
            words = f"{key!r} stands here a second time; the first is in line {first[key]}"
            result.problems.append(Problem(line, column, written((*path, key)), words))
            continue
        first[key] = line
        result.places[*path, key] = (line, column)
        values[key] = _value(loader, child, (*path, key), result)
    return values


def _entries(node: yaml.MappingNode) -> Iterator[tuple[str, int, int, yaml.Node]]:
    """Each key as it is written, its line and column, and its value's node."""
    for key, child in node.value:
        text = key.value if isinstance(key, yaml.ScalarNode) else "?"
        yield text, key.start_mark.line + 1, key.start_mark.column + 1, child
