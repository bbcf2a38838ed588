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

INITIAL = [  # flex takes the longest match, and the first of equals
    ("skip", re.compile(r"[ \t]*#.*\n")),
    ("skip", re.compile(r"[ \t\n]+")),
    ("VARIABLE", re.compile(r"[A-Za-z0-9_]+")),
    ("EQUAL", re.compile(r"[ \t]*=[ \t]*")),
    ("EQUAL_EMPTY", re.compile(r"[ \t]*=[ \t]*\n")),
    ("COMMA", re.compile(r"[ \t\n]*,[ \t\n]*")),
    ("CBRACKET", re.compile(r"[ \t\n]*\][ \t\n]*")),
]
VALUE = [
    ("OBRACKET", re.compile(r"[ \t]*\[[ \t\n]*")),
    ("CCDATA", re.compile(r".*\]\]>.*")),
    ("STRING", re.compile(r'"(?:\\"|[^"])*"')),
    ("STRING", re.compile(r"[^=# \t\n,\[\]]+")),
]
# Both states share the rules of INITIAL that have no state of their own only in an inclusive condition;
# VALUE is exclusive.


@dataclass
class Lexer:
    """Tokens of a template, with the columns that OpenNebula's lexer would count (it never starts them anew)."""

    source: str
    position: int = 0
    in_value: bool = False
    line: int = 0
    columns: tuple[int, int] = (1, 1)
    token: str = ""
    value: str = ""

    def advance(self) -> str:
        """Read the next token; `$end` at the end."""
        while True:
            kind, matched = self._match()
            if kind == "end":
                return self._set("$end", "")
            self.position += len(matched)
            self.line += matched.count("\n")
            self.columns = (self.columns[1], self.columns[1] + len(matched.encode()))
            if kind not in {"skip", "echo"}:
                self.in_value = kind == "EQUAL"
                return self._set(kind, matched)

    def _match(self) -> tuple[str, str]:
        if self.position >= len(self.source):
            return "end", ""
        best = ("echo", self.source[self.position])
        longest = 0
        for kind, pattern in VALUE if self.in_value else INITIAL:
            found = pattern.match(self.source, self.position)
            if found and len(found[0]) > longest:
                best, longest = (kind, found[0]), len(found[0])
        return best

    def _set(self, token: str, value: str) -> str:
        self.symbol, self.value = token, value
        return token


@dataclass
class Parser:
    """A template being read."""

    lexer: Lexer
    attributes: Body = field(default_factory=dict)

    def read(self) -> Body:
        """All attributes."""
        self.lexer.advance()
        while self.lexer.symbol != "$end":
            self._attribute()
        return self.attributes

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
        first, last = self.lexer.columns
        raise Refused(Code.INTERNAL, f"Parse error: {words} at line {self.lexer.line}, columns {first}:{last}")


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
