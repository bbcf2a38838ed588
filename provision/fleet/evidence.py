"""The evidence of an acceptance, for programs and for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from templates.pages import page

if TYPE_CHECKING:
    from pathlib import Path


def write_evidence(path: Path, told: dict[str, Any]) -> None:
    """Write what was tried and how it went to `path`.json and `path`.html; a dot in the name is part of the name."""
    texts = {".json": json.dumps(told, indent=2, ensure_ascii=False) + "\n", ".html": page("evidence", **told)}
    for ending, text in texts.items():
        path.with_name(path.name + ending).write_text(text, encoding="utf-8")
