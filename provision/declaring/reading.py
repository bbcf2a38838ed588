"""A community file, read into a `Community`, with every mistake told at once."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from provision.declaring.community import Community
from provision.declaring.placed import Placed, placed
from provision.declaring.rules import RULES, Draft
from provision.errors import DeclarationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from provision.declaring.placed import Path as Place

ADAPTER = TypeAdapter(Community)

#: pydantic's kinds of error, in our words with its facts; all others speak for themselves.
WORDS = {
    "unexpected_keyword_argument": "there is no such entry here",
    "missing": "this is missing",
    "missing_argument": "this is missing",
    "dataclass_type": "entries are expected here, as in `name: value`",
    "mapping_type": "entries are expected here, as in `name: value`",
    "dict_type": "entries are expected here, as in `name: value`",
    "tuple_type": "a list is expected here, as in [one, two]",
    "string_type": "a text is expected here (put it in quotes if it looks like a number)",
    "float_type": "a number is expected here",
    "float_parsing": "a number is expected here",
    "finite_number": "a number is expected here",
    "int_type": "a whole number is expected here",
    "int_parsing": "a whole number is expected here",
    "int_from_float": "a whole number is expected here",
    "bool_type": "true or false is expected here",
    "bool_parsing": "true or false is expected here",
    "greater_than": "a number greater than {gt:g} is expected here",
    "greater_than_equal": "a number greater than or equal to {ge:g} is expected here",
    "less_than_equal": "a number of at most {le:g} is expected here",
    "literal_error": "this is expected here: {expected}",
    "too_short": "{min_length} or more are expected here",
    "too_long": "at most {max_length} are expected here",
}


#: Values that break no rule, for entries that are wrong by themselves, so that the rest is still checked.
STAND_INS: dict[str | int, Any] = {
    "title": "?",
    "quota": {"cpu": 1024, "memory": "1024TiB", "disk": "1024TiB", "vms": 1},
    "cpu": 1,
    "memory": "1MiB",
    "archive": "1MiB",
    "disk": "1024TiB",
    "vms": 1,
    "vm_disk": "1024TiB",
}

#: Entries of a branch that can be left out.
OPTIONAL = {"appliance", "staff", "admins", "modalities", "names", "time", "was", "dns", "addresses"}


def load(path: str | Path) -> Community:
    """The community that a file declares.

    Raises
    ------
    DeclarationError
        With every mistake, each with its line and column.
    OSError
        When the file cannot be read.
    """
    try:
        return parse(Path(path).read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        problem = Problem(1, 1, "", f"this is not UTF-8 text: byte {error.start} is wrong")
        raise DeclarationError(str(path), [problem]) from error


def parse(text: str, source: str = "<text>") -> Community:
    """The community that a text declares; raises `DeclarationError` as `load` does."""
    read = placed(text)
    problems = list(read.problems)
    if problems and read.value is None:  # it is not YAML: nothing else can be said of it
        raise DeclarationError(source, problems)
    community, mistakes = _validated(read.value)
    wrong = [_place(mistake, read) for mistake in mistakes]
    problems += [read.problem(path, _words(mistake)) for path, mistake in zip(wrong, mistakes, strict=True)]
    broken = _broken_rules(community, read, mistakes)  # of a value that was rejected they see what stands in for it
    problems += [read.problem(path, words) for path, words in broken if path not in wrong]
    if problems or community is None:
        raise DeclarationError(source, problems)
    return community


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a community file, for editors to complete and check it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **ADAPTER.json_schema(by_alias=True)}


def _validated(value: Any) -> tuple[Community | None, list[ErrorDetails]]:
    try:
        return ADAPTER.validate_python(value, by_alias=True), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _broken_rules(
    community: Community | None, read: Placed, mistakes: list[ErrorDetails]
) -> Iterator[tuple[Place, str]]:
    """What the parts that can be read do wrong together."""
    if not isinstance(read.value, dict) or not isinstance(read.value.get("branches"), dict):
        return
    if community is None:
        community, _ = _validated(_pruned(read.value, mistakes))
    if community is not None:
        draft = Draft(community, frozenset(str(name) for name in read.value["branches"]))
        for rule in RULES:
            yield from rule(draft)


def _pruned(value: dict[str, Any], mistakes: list[ErrorDetails]) -> dict[str, Any]:
    """The same, with harmless values in place of wrong ones, and without the parts where none would do."""
    result = deepcopy(value)
    for mistake in mistakes:
        path = list(mistake["loc"])
        if path and path[-1] in STAND_INS:
            _put(result, path, STAND_INS[path[-1]])
        elif mistake["type"] == "unexpected_keyword_argument":
            _put(result, path, None)
        else:
            _put(result, path[: _depth(path)], None)
    return result


def _depth(path: list[str | int]) -> int:
    """How much of a path to a mistake names the smallest part that can be left out."""
    optional = [depth for depth, part in enumerate(path, 1) if depth > 2 and part in OPTIONAL]
    return next(iter(optional), 2 if path[:1] == ["branches"] else 1)


def _put(tree: Any, path: list[str | int], value: Any) -> None:
    """Set the value at a path, or take it out (None); a path that is not there is left alone."""
    for part in path[:-1]:
        tree = tree.get(part) if isinstance(tree, dict) else None
    if isinstance(tree, dict) and path:
        tree.pop(path[-1], None)
        if value is not None:
            tree[path[-1]] = value


def _place(mistake: ErrorDetails, read: Placed) -> Place:
    """The path of a mistake in the file, without the parts that only pydantic knows."""
    path: Place = ()
    for part in mistake["loc"]:
        if (*path, part) in read.places or mistake["type"].startswith("missing"):
            path = (*path, part)
    return path


def _words(mistake: ErrorDetails) -> str:
    ours = WORDS.get(mistake["type"])
    words = ours.format(**mistake.get("ctx", {})) if ours else mistake["msg"]
    words = re.sub(r"^(Value error|Assertion failed), ", "", words)
    name = mistake["loc"][-1] if mistake["loc"] else ""
    return f"{name!r}: {words}" if mistake["type"] == "unexpected_keyword_argument" else words
