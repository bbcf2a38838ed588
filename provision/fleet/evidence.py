"""The evidence of an acceptance, for programs and for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from templates.pages import page

if TYPE_CHECKING:
    from pathlib import Path


def write_evidence(path: Path, told: dict[str, Any]) -> None:
    """Write what was tried and how it went to `path`.json and `path`.html."""
    path.with_suffix(".json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    path.with_suffix(".html").write_text(page("evidence", **told), encoding="utf-8")
