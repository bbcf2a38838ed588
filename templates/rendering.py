"""Text for OpenNebula, rendered by Jinja2 with every value quoted so that it arrives as it is."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from jinja2 import Template

FOLDER = Path(__file__).parent / "opennebula"

#: What OpenNebula's template syntax cannot carry inside quotes, and why (recorded against 7.4).
REFUSED = (
    (re.compile(r"\]\]>"), "it contains ]]>, which OpenNebula cannot keep"),
    (re.compile(r"\\$"), "it ends in a backslash, which would swallow the closing quote"),
    (re.compile(r"\\\""), "it contains a backslash before a quote, which OpenNebula reads as the quote alone"),
    (re.compile("[\x00-\x08\x0b-\x1f\x7f]"), "it contains a control character"),
    (re.compile("[\ud800-\udfff\ufffe\uffff]"), "it contains a character that XML does not have"),
)

#: Whether any of them is there: most values are carried.
SUSPECT = re.compile("|".join(pattern.pattern for pattern, _ in REFUSED))


class NotCarriedError(ValueError):
    """A value that OpenNebula's template syntax cannot carry; `text` is the value."""

    def __init__(self, text: str, words: str) -> None:
        super().__init__(f"{text!r} {words}")
        self.text = text


class Text(str):
    """Template text that is complete, and is not quoted again."""

    __slots__ = ()


def quoted(value: Any) -> Text:
    """A value in quotes, as OpenNebula reads it back unchanged.

    Raises
    ------
    NotCarriedError
        For what OpenNebula cannot carry; nothing is changed silently.
    """
    if isinstance(value, Text):
        return value
    text = written(value)
    if SUSPECT.search(text):
        reason = next(reason for pattern, reason in REFUSED if pattern.search(text))
        raise NotCarriedError(text, f"cannot be handed to OpenNebula: {reason}")
    return Text('"' + text.replace('"', '\\"') + '"')


def written(value: Any) -> str:
    """A value as OpenNebula writes it: YES and NO, numbers without a needless fraction."""
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)


def render(name: str, **values: Any) -> str:
    """The text of `opennebula/<name>.j2` with these values; a value that is missing is an error."""
    return _environment().get_template(f"{name}.j2").render(**values)


def name(text: str) -> Text:
    """A name of an attribute, which stands without quotes."""
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", text):
        raise NotCarriedError(text, "is no name of an OpenNebula attribute")
    return Text(text)


def constant(value: Any) -> Text:
    """A value for a context, in which OpenNebula would put something else for each `$NAME`."""
    if "$" in written(value):
        raise NotCarriedError(written(value), "cannot be put into a context: OpenNebula replaces what follows a $")
    return quoted(value)


def comma(loop: Any) -> Text:
    """What stands between the entries of a vector."""
    return Text("" if loop.last else ",")


class _Once(FileSystemLoader):
    """Compiles each template once, however many threads are the first that want it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._lock = Lock()
        self._compiled: dict[str, Template] = {}

    def load(self, environment: Environment, name: str, globals: MutableMapping[str, Any] | None = None) -> Template:  # noqa: A002
        """The template of a name."""
        with self._lock:
            if name not in self._compiled:
                self._compiled[name] = super().load(environment, name, globals)
            return self._compiled[name]


@cache
def _environment() -> Environment:
    """Every `{{ value }}` is quoted, so that no template can forget it."""
    environment = Environment(  # noqa: S701 - no HTML here; `finalize` quotes for OpenNebula
        loader=_Once(FOLDER),
        undefined=StrictUndefined,
        finalize=quoted,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.globals |= {"name": name, "comma": comma, "constant": constant}
    return environment
