"""The lexer of templates finds what flex would: the longest match of all rules, and the first of equals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.errors import Refused
from emulator.template_text import Lexer, parse_text

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The rules of OpenNebula's template_parser.l, in their order, for each of its two states.
RULES = {
    False: [
        ("", r"[ \t]*#.*\n"),
        ("", r"[ \t\n]+"),
        ("VARIABLE", r"[A-Za-z0-9_]+"),
        ("EQUAL", r"[ \t]*=[ \t]*"),
        ("EQUAL_EMPTY", r"[ \t]*=[ \t]*\n"),
        ("COMMA", r"[ \t\n]*,[ \t\n]*"),
        ("CBRACKET", r"[ \t\n]*\][ \t\n]*"),
    ],
    True: [
        ("OBRACKET", r"[ \t]*\[[ \t\n]*"),
        ("CCDATA", r".*\]\]>.*"),
        ("STRING", r'"(?:\\"|[^"])*"'),
        ("STRING", r"[^=# \t\n,\[\]]+"),
    ],
}

#: A loaded machine makes no example wrong.
QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def flex(source: str) -> Iterator[tuple[str, str]]:
    """Tokens by trying every rule everywhere."""
    place, in_value = 0, False
    while place < len(source):
        found = [(rule[0], match[0]) for rule in RULES[in_value] if (match := re.compile(rule[1]).match(source, place))]
        kind, text = max([*found, ("", source[place])], key=lambda one: len(one[1]))
        place += len(text)
        if kind:
            in_value = kind == "EQUAL"
            yield kind, text


def tokens(source: str) -> Iterator[tuple[str, str]]:
    lexer = Lexer(source)
    lexer.advance()
    while lexer.symbol != "$end":
        yield lexer.symbol, lexer.value
        lexer.advance()


PIECES = st.sampled_from(
    ['"', "a", "B9_", " ", "\n", "\t", "=", "[", "]", ",", "#", "]]>", "\\", '\\"', "é", '="x"', "\r"]
)


@QUIET
@given(st.lists(PIECES, max_size=16).map("".join))
def test_tokens_are_those_of_the_rules(source: str) -> None:
    assert list(tokens(source)) == list(flex(source))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('A="1"\nB=[ C ', "syntax error, unexpected $end, expecting EQUAL at line 1, columns 12:13"),
        ("é=1", "syntax error, unexpected EQUAL at line 0, columns 3:4"),
        ("A=]]>", "Parse error."),
        ('A="1" "2"', "syntax error, unexpected $end, expecting EQUAL or EQUAL_EMPTY at line 0, columns 9:10"),
        ("A=\nB", "syntax error, unexpected $end, expecting EQUAL or EQUAL_EMPTY at line 1, columns 4:5"),
    ],
)
def test_mistakes_are_placed_in_bytes(source: str, words: str) -> None:
    with pytest.raises(Refused, match=re.escape(words)):
        parse_text(source)


USUAL_PIECES = st.sampled_from(['A="1"', '\nB = "x, ]y"', 'C=[D="2"]', '\nE=[ F = "3",\n d="4", D="5" ]\n', "G=h", "="])


@QUIET
@given(st.lists(st.one_of(USUAL_PIECES, PIECES), max_size=10).map("".join))
def test_what_is_read_at_once_is_what_its_tokens_say(source: str) -> None:
    """After a comment everything is read token by token."""
    assert outcome(source) == outcome(f"#\n{source}")


def outcome(source: str) -> object:
    try:
        return parse_text(source)
    except Refused as refused:
        return refused.text.partition(" at line")[0]
