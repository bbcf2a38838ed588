"""Expressions such as SCHED_REQUIREMENTS: what a host or a network must be.

References: OpenNebula src/parsers/expr_bool.y.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator.record import Record

# The values that an attribute has, none where there is no such attribute.
Values = Callable[[str], list[str]]
Test = Callable[[Values], bool]

TOKEN = re.compile(r'\s*(?:"([^"]*)"|(@>|!=|[=<>&|()!])|([^\s"=<>&|()!@]+))')
MAX_LENGTH = 10_000
CLUSTER = re.compile(r"CLUSTER_ID = (\d+)")


def clusters_of(vm: Record) -> set[int]:
    """Clusters in which a virtual machine can run; empty where it does not matter."""
    return {int(one) for one in CLUSTER.findall(vm.attribute("AUTOMATIC_REQUIREMENTS"))}


class WrongExpression(Exception):
    """An expression that is not written as it should be."""


def parsed(text: str) -> Test:
    """The test that an expression is; an empty one always holds.

    Raises
    ------
    WrongExpression
        When it is none.
    """
    tokens = list(_tokens(text))
    if not tokens:
        return lambda _values: True
    reader = _Reader(tokens)
    test = reader.expression()
    if reader.left:
        raise WrongExpression(f"syntax error at {reader.left[0][0]!r}")
    return test


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """Words and signs; a sign is marked."""
    place, end = 0, len(text.rstrip())
    if end > MAX_LENGTH:
        raise WrongExpression("too long")
    while place < end:
        found = TOKEN.match(text, place)
        if found is None:
            raise WrongExpression(f"syntax error at {text[place : place + 10]!r}")
        yield (found[2], True) if found[2] else (found[1] if found[1] is not None else found[3], False)
        place = found.end()


class _Reader:
    """Reads tokens; `&` and `|` bind alike, from left to right, as OpenNebula's grammar has it."""

    def __init__(self, tokens: list[tuple[str, bool]]) -> None:
        self.left = tokens

    def expression(self) -> Test:
        test = self._term()
        while self.left and self.left[0] in {("&", True), ("|", True)}:
            test = _joined(self._next()[0], test, self._term())
        return test

    def _next(self) -> tuple[str, bool]:
        if not self.left:
            raise WrongExpression("unexpected end")
        return self.left.pop(0)

    def _term(self) -> Test:
        word, is_sign = self._next()
        if (word, is_sign) == ("!", True):
            return _negated(self._term())
        if (word, is_sign) == ("(", True):
            test = self.expression()
            if self._next() != (")", True):
                raise WrongExpression("a parenthesis is not closed")
            return test
        operator, value = self._next(), self._next()
        if is_sign or operator[0] not in OPERATORS or not operator[1] or value[1]:
            raise WrongExpression(f"syntax error at {word!r}")
        return _comparison(word, operator[0], value[0])


def _joined(sign: str, one: Test, other: Test) -> Test:
    if sign == "&":
        return lambda values: one(values) and other(values)
    return lambda values: one(values) or other(values)


def _negated(test: Test) -> Test:
    return lambda values: not test(values)


def _comparison(name: str, operator: str, value: str) -> Test:
    """An attribute that is not there compares with nothing."""
    return lambda values: bool(found := values(name)) and OPERATORS[operator](found, value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _same(actual: str, value: str) -> bool:
    numbers = _number(actual), _number(value)
    return numbers[0] == numbers[1] if None not in numbers else fnmatchcase(actual, value)


def _compared(actual: str, value: str) -> float:
    """Above 0 where the first is more; texts stand as in a dictionary."""
    first, second = _number(actual), _number(value)
    if first is not None and second is not None:
        return first - second
    return (actual > value) - (actual < value)


OPERATORS: dict[str, Callable[[list[str], str], bool]] = {
    "=": lambda found, value: _same(found[0], value),
    "!=": lambda found, value: not _same(found[0], value),
    ">": lambda found, value: _compared(found[0], value) > 0,
    "<": lambda found, value: _compared(found[0], value) < 0,
    "@>": lambda found, value: any(_same(one, value) for one in found),
}
