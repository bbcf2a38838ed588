"""Text for OpenNebula carries every value as it is, or refuses it in words."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.rendering import NotCarriedError, constant, quoted, render

RECORDED = {
    "quote": 'q"uote',
    "apostrophe": "it's",
    "and": "a & b < c > d",
    "lines": "line1\nline2",
    "letters": "ünï ☃ 日本",
}


@pytest.mark.parametrize("value", RECORDED.values(), ids=RECORDED)
def test_what_the_recordings_show_to_arrive_is_carried(value: str) -> None:
    assert str(quoted(value)) == '"' + value.replace('"', '\\"') + '"'


@pytest.mark.parametrize("value", ["]]> end", "C:\\", 'a\\"b', "bell\x07", "cr\rlf", "\x00", "\ud800", "\uffff"])
def test_what_opennebula_cannot_carry_is_refused_in_words(value: str) -> None:
    with pytest.raises(NotCarriedError, match="cannot be handed to OpenNebula: it "):
        quoted(value)


def test_a_dollar_is_refused_in_a_context_only() -> None:
    assert quoted("$NAME") == '"$NAME"'
    with pytest.raises(NotCarriedError, match="replaces what follows"):
        constant("$NAME")


def test_values_are_written_as_opennebula_writes_them() -> None:
    assert [str(quoted(value)) for value in (True, False, 4.0, 0.25, 100, -2.0, 1000000.5)] == [
        '"YES"',
        '"NO"',
        '"4"',
        '"0.25"',
        '"100"',
        '"-2"',
        '"1000000.5"',
    ]


def test_a_template_cannot_forget_to_quote() -> None:
    """Each `{{ value }}` is quoted by the environment, so that nothing gets out of its quotes."""
    from provision.planning.marks import Mark

    text = render("mark", mark=Mark('x"\nEVIL="1', "a", "b"))
    assert text.splitlines()[:2] == ['GURNEY_COMMUNITY="x\\"', 'EVIL=\\"1"']


def lexed(text: str) -> list[str]:
    r"""The quoted strings of a template text, read as OpenNebula reads them: only \" is special."""
    return [match.replace('\\"', '"') for match in re.findall(r'"((?:\\"|[^"])*)"', text)]


@given(st.text())
def test_any_text_arrives_as_it_is_or_is_refused(value: str) -> None:
    try:
        text = str(quoted(value))
    except NotCarriedError:
        return
    assert lexed(f'A={text}\nB="end"') == [value, "end"]


def test_every_template_is_used_and_opens_nothing_else() -> None:
    folder = Path(__file__).parents[2] / "templates" / "opennebula"
    code = "".join(path.read_text() for path in folder.parents[1].glob("provision/**/*.py"))
    included = "".join(path.read_text() for path in folder.glob("*.j2"))
    for path in folder.glob("*.j2"):
        assert f'"{path.stem}"' in code or f'"{path.name}"' in included, path.name


def test_the_recordings_say_the_same() -> None:
    """The rules above are those that a real front end showed (oned/15_template_syntax)."""
    recording = Path(__file__).parents[1] / "data" / "oned" / "15_template_syntax.jsonl.gz"
    calls = [json.loads(line) for line in gzip.decompress(recording.read_bytes()).splitlines()]
    refused = [c for c in calls if c["method"] == "one.template.allocate" and '="]]> ' in c["params"][0]]
    assert refused
    assert not any(call["response"][0] for call in refused)
