"""OpenNebula's template language: `NAME = "value"` and `NAME = [ KEY = "value", ... ]`.

References: OpenNebula src/parsers/template_parser.l and template_syntax.y, whose words for mistakes are kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emulator.errors import Code, Refused

if TYPE_CHECKING:
    from emulator.record import Body

# flex takes the longest match, and the first of equals. Where a name may stand, the first that matches here is the
# longest: what follows the spaces tells all alternatives apart, except the spaces themselves, which are the shortest.
INITIAL = re.compile(
    r"""(?P<VARIABLE>[A-Za-z0-9_]+)
      | (?P<skip>[ \t]*\#.*\n)
      | (?P<EQUAL_EMPTY>[ \t]*=[ \t]*\n)
      | (?P<EQUAL>[ \t]*=[ \t]*)
      | (?P<COMMA>[ \t\n]*,[ \t\n]*)
      | (?P<CBRACKET>[ \t\n]*\][ \t\n]*)
      | (?P<space>[ \t\n]+)""",
    re.VERBOSE,
)
VALUE = [  # an exclusive state of the lexer, which has none of the rules above
    ("OBRACKET", re.compile(r"[ \t]*\[[ \t\n]*")),
    ("CCDATA", re.compile(r".*\]\]>.*")),
    ("STRING", re.compile(r'"(?:\\"|[^"])*"')),
    ("STRING", re.compile(r"[^=# \t\n,\[\]]+")),
]
QUOTED = VALUE[2][1]
#: What ends a value without quotes; a quoted one that ends before one of these is the longest match.
DELIMITERS = frozenset("=# \t\n,[]")
UNSEEN = frozenset({"skip", "space", "echo"})

# An attribute as most are written, from its name to its value. What it matches has one reading by the rules above:
# `(?>…)` ends a quoted value where they do and nowhere else. Token by token takes five times as long.
_QUOTED = r'"(?>(?:\\"|[^"])*)"'
_PAIR = rf"[A-Za-z0-9_]+[ \t]*=[ \t]*{_QUOTED}"
USUAL = re.compile(
    r"[ \t\n]*([A-Za-z0-9_]+)[ \t]*=[ \t]*"
    rf"(?:({_QUOTED})(?=[=# \t\n,\[\]]|\Z)|\[[ \t\n]*({_PAIR}(?:[ \t\n]*,[ \t\n]*{_PAIR})*)[ \t\n]*\][ \t\n]*)"
)
PAIR = re.compile(rf"([A-Za-z0-9_]+)[ \t]*=[ \t]*({_QUOTED})")


@dataclass
class Lexer:
    """Tokens of a template, with the columns that OpenNebula's lexer would count (it never starts them anew)."""

    source: str
    begin: int = 0
    position: int = 0
    in_value: bool = False
    symbol: str = ""
    value: str = ""
    _has_ccdata: bool = field(init=False)

    def __post_init__(self) -> None:
        self._has_ccdata = "]]>" in self.source

    def advance(self) -> None:
        """Read the next token; `$end` at the end."""
        while self.position < len(self.source):
            kind, end = self._in_value() if self.in_value else self._initial()
            self.begin, self.position = self.position, end
            if kind not in UNSEEN:
                self.in_value = kind == "EQUAL"
                self.symbol, self.value = kind, self.source[self.begin : end]
                return
        self.symbol, self.value = "$end", ""

    @property
    def place(self) -> str:
        """Where the last match stands, as flex's actions count: lines from 0, columns in bytes and over all lines."""
        before, matched = self.source[: self.begin], self.source[self.begin : self.position]
        first = 1 + len(before.encode())
        line = before.count("\n") + matched.count("\n")
        return f"line {line}, columns {first}:{first + len(matched.encode())}"

    def _initial(self) -> tuple[str, int]:
        found = INITIAL.match(self.source, self.position)
        return (str(found.lastgroup), found.end()) if found else ("echo", self.position + 1)

    def _in_value(self) -> tuple[str, int]:
        if not self._has_ccdata and (found := QUOTED.match(self.source, self.position)):
            end = found.end()
            if end == len(self.source) or self.source[end] in DELIMITERS:
                return "STRING", end
        return self._longest()

    def _longest(self) -> tuple[str, int]:
        best = ("echo", self.position + 1)
        longest = self.position
        for kind, pattern in VALUE:
            found = pattern.match(self.source, self.position)
            if found and found.end() > longest:
                best, longest = (kind, found.end()), found.end()
        return best


@dataclass
class Parser:
    """A template being read."""

    lexer: Lexer
    attributes: Body = field(default_factory=dict)

    def read(self) -> Body:
        """All attributes."""
        self.lexer.position = self._usual(self.lexer.source)
        self.lexer.advance()
        while self.lexer.symbol != "$end":
            self._attribute()
        return self.attributes

    def _usual(self, source: str) -> int:
        """Keep the attributes at the beginning that are as most are; where they end."""
        place = 0
        while "]]>" not in source and (found := USUAL.match(source, place)):
            name, value, pairs = found.groups()
            self._keep(attribute_name(name), unquoted(value) if value else _vector(PAIR.findall(pairs)))
            place = found.end()
        return place

    def _attribute(self) -> None:
        name = attribute_name(self._take("VARIABLE"))
        if self.lexer.symbol == "EQUAL_EMPTY":
            self.lexer.advance()
            self._keep(name, "")
            return
        self._take("EQUAL", "EQUAL_EMPTY")
        if self.lexer.symbol == "CCDATA":
            raise Refused(Code.INTERNAL, "Parse error.")
        if self.lexer.symbol == "OBRACKET":
            self._keep_vector(name)
        else:
            self._keep(name, unquoted(self._take("STRING", expected="OBRACKET or CCDATA or STRING")))

    def _keep_vector(self, name: str) -> None:
        self.lexer.advance()
        values: dict[str, str] = {}
        while self.lexer.symbol != "CBRACKET":
            key = self._take("VARIABLE", expected=None if values else "CBRACKET or VARIABLE").upper()
            self._take("EQUAL")
            values.setdefault(key, unquoted(self._take("STRING")))
            if self.lexer.symbol == "COMMA":
                self.lexer.advance()
                self._need("VARIABLE")
            else:
                self._need("CBRACKET", expected="COMMA or CBRACKET")
        self.lexer.advance()
        if values:
            self._keep(name, values)

    def _keep(self, name: str, value: str | dict[str, str]) -> None:
        self.attributes.setdefault(name, []).append(value)

    def _take(self, *tokens: str, expected: str | None = None) -> str:
        self._need(*tokens, expected=expected)
        value = self.lexer.value
        self.lexer.advance()
        return value

    def _need(self, *tokens: str, expected: str | None = None) -> None:
        if self.lexer.symbol not in tokens:
            words = expected or " or ".join(tokens)
            unexpected = f"syntax error, unexpected {self.lexer.symbol}"
            # bison names what it expected only where few tokens would do
            self._fail(
                unexpected if tokens == ("VARIABLE",) and expected is None else f"{unexpected}, expecting {words}"
            )

    def _fail(self, words: str) -> None:
        raise Refused(Code.INTERNAL, f"Parse error: {words} at {self.lexer.place}")


def _vector(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """The values of a vector; the first of a name counts."""
    values: dict[str, str] = {}
    for key, value in pairs:
        values.setdefault(key.upper(), unquoted(value))
    return values


def attribute_name(name: str) -> str:
    """The name under which OpenNebula keeps an attribute: one that XML could not carry is prefixed."""
    upper = name.upper()
    return f"ONE_{upper}" if upper[:1].isdigit() or upper.startswith("XML") else upper


def unquoted(value: str) -> str:
    """A value without its quotes; a quote is the only thing that can be escaped."""
    inner = value[1:-1] if len(value) > 1 and value.startswith('"') and value.endswith('"') else value
    return inner.replace('\\"', '"')


def parse_text(source: str) -> Body:
    """Attributes of a template in text form.

    Raises
    ------
    Refused
        With OpenNebula's words for the mistake.
    """
    return Parser(Lexer(source.replace("\r\n", "\n"))).read()
