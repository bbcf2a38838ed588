"""Pages for people, rendered by Jinja2 with everything escaped for HTML."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def page(name: str, **values: Any) -> str:
    """The page `pages/<name>.html.j2` with these values."""
    return _environment().get_template(f"{name}.html.j2").render(**values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "pages"), undefined=StrictUndefined, autoescape=True
    )
